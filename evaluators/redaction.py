"""Secrets stay in the environment: in everything that is landed, printed or shown, they are blanked.

Belongs here: what a secret looks like, and blanking it in texts and on the standard streams. Code that receives texts
with possible secrets (command lines, other programs' exceptions) calls `redact`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BLANK = "[redacted]"
_SHORTEST = 8  # characters; a shorter value may be any word

_SECRET = r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|WEBHOOK_?URL)"
_VARIABLE = re.compile(rf"(?:^|_|PG){_SECRET}(?:_|$)", re.IGNORECASE)
_SHAPES = (
    re.compile(r"(?<=://)[^\s/@]*:[^\s/@]+(?=@)"),  # user and password in an address
    re.compile(rf"(?<=--)(?P<keep>[\w-]*{_SECRET.replace('_', '[_-]')}[= ])\S+", re.IGNORECASE),
    re.compile(rf"\b(?P<keep>(?:\w*_)?{_SECRET}=)\S+", re.IGNORECASE),
    re.compile(r"(?P<keep>\bBearer )\S+"),
    re.compile(r"\b(?:hf_|gh[opsu]_|github_pat_|sk-|AKIA|xox[bp]-)[\w-]{16,}"),
)


def redact(text: str) -> str:
    """The text without the values of secret variables, and without anything that looks like a secret."""
    for secret in _secrets():
        text = text.replace(secret, BLANK)
    for shape in _SHAPES:
        text = shape.sub(lambda found: (found.groupdict().get("keep") or "") + BLANK, text)
    return text


@contextmanager
def standard_streams_redacted() -> Iterator[None]:
    """Redact everything that this process prints, tracebacks and log lines included."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_Redacted(stream) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


class _Redacted:
    """A text stream that redacts writes and passes everything else on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _secrets() -> list[str]:
    """The values of secret variables, longest first, because one may be part of another."""
    values = {value for name, value in os.environ.items() if _VARIABLE.search(name) and len(value) >= _SHORTEST}
    return sorted(values, key=len, reverse=True)
