"""The content of a night's message, and the file that keeps it. `report` finds out what happened."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluators.durable import write_durably
from evaluators.redaction import redact
from orchestration.home import Home

_MESSAGE = "message.json"
_TOPIC_WIDTH = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; `remedy` is what to do about it, with the command.

    `asks_for` is what a later publication contains if the remedy was followed: for each model a completed run, for each
    model and task an energy that counts; if it is empty, the publication itself. None: no publication shows it.
    """

    topic: str
    words: str
    remedy: str | None = None
    asks_for: tuple[tuple[str, str | None], ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A night in words. `good`: nothing needs a person's attention."""

    night: datetime
    headline: str
    lines: tuple[Line, ...]

    @property
    def good(self) -> bool:
        return all(line.remedy is None for line in self.lines)

    def text(self) -> str:
        """The message for people; secrets are redacted."""
        return redact("\n".join([self.headline, *in_words(map(dataclasses.asdict, self.lines))]))


def in_words(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines below a headline, as text. Takes lines as `keep` writes them."""
    parts = []
    for line in lines:
        parts += _indented(f"{line['topic']:<{_TOPIC_WIDTH}}", line["words"])
        if line["remedy"] is not None:
            parts += _indented(" " * _TOPIC_WIDTH, f"-> {line['remedy']}")
    return parts


def folder(home: Home, night: datetime) -> Path:
    """The folder of the night's message and its deliveries."""
    return home.nights / f"{night.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def keep(home: Home, message: Message) -> Path:
    """Write the message to its file, unless the night already has one. Returns the night's folder."""
    place = folder(home, message.night)
    place.mkdir(parents=True, exist_ok=True)
    if not (place / _MESSAGE).exists():
        content = {
            "night": message.night.isoformat(),
            "at": datetime.now(UTC).isoformat(),
            "good": message.good,
            "headline": redact(message.headline),
            "lines": [
                {
                    name: redact(value) if isinstance(value, str) else value
                    for name, value in dataclasses.asdict(line).items()
                }
                for line in message.lines
            ],
            "text": message.text(),
        }
        write_durably(place / _MESSAGE, json.dumps(content, indent=1).encode())
    return place


def last_kept(home: Home) -> Mapping[str, Any] | None:
    """The newest night's message as `keep` wrote it; None before the first night."""
    kept = sorted(home.nights.glob(f"*/{_MESSAGE}"))
    found: Mapping[str, Any] | None = json.loads(kept[-1].read_bytes()) if kept else None
    return found


def _indented(first: str, words: str) -> list[str]:
    lines = words.splitlines() or [""]
    return [f"  {first}{lines[0]}", *(textwrap.indent(line, " " * (2 + _TOPIC_WIDTH)) for line in lines[1:])]
