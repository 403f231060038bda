"""Texts for people: durations, numbers and exceptions, short enough for a row, a plan or a line."""

from __future__ import annotations

_LONGEST = 400  # characters


def sentence(error: BaseException) -> str:
    """An exception's message in one line: its first line, and the following ones where that only introduces them.

    torch, for example, writes "Error(s) in loading state_dict for Linear:" and the sizes below it. An empty message is
    replaced by the exception's type.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [] if lines else [type(error).__name__]
    for line in lines:
        said.append(line)
        if not line.endswith(":"):
            break
    text = " ".join(said)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def duration(seconds: float) -> str:
    """`1 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def counted(number: int, noun: str) -> str:
    """`1 task`, `6 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def in_words(seconds: float) -> str:
    """`1 h 05 min`, `3 min 20 s`, `4.2 s`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
