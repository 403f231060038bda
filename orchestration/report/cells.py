"""Table cells with their sort keys, and the few kinds that most cells are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.report import formats
from orchestration.report.findings import Verdict
from orchestration.report.queries import Row

# In characters: longer cells are wide, shorter ones are short.
WIDE = 60
SHORT = 14


@dataclass(frozen=True)
class Cell:
    """The text shown and the value to sort by; cells of claims also have `verdict` and `details`. `share` is drawn as
    a bar: how much of a whole the text is about."""

    text: str
    sort: Any = None
    verdict: Verdict | None = None
    details: tuple[tuple[str, str], ...] = ()
    share: float | None = None

    @property
    def width(self) -> str:
        """The style sheet's class for its width."""
        if self.details or len(self.text) > WIDE:
            return "wide"
        return "short" if len(self.text) < SHORT else ""


@dataclass(frozen=True)
class Table:
    """Columns, each with whether it holds numbers; rows, each with its leaderboard state, if any."""

    caption: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[date | None, tuple[Cell, ...]], ...]


def machine(row: Row) -> str:
    return _part(row, "machine")


def method(row: Row) -> str:
    return _part(row, "methods")


def _part(row: Row, name: str) -> str:
    """One dimension of the comparability key."""
    parts = dict(part.partition("=")[::2] for part in str(row["comparability_key"]).split(" | "))
    return parts.get(name, formats.NOT_KNOWN)


def columns(*titles: str) -> tuple[tuple[str, bool], ...]:
    """A leading # marks a column of numbers."""
    return tuple((title.lstrip("#"), title.startswith("#")) for title in titles)


def figure(value: float | None, reason: str | None = None) -> Cell:
    return Cell(formats.number(value) if value is not None else reason or formats.NOT_KNOWN, value)


def mass(value: float | None, reason: str | None = None) -> Cell:
    return Cell(formats.mass(value) if value is not None else reason or formats.NOT_KNOWN, value)
