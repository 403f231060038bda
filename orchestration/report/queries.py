"""The report's queries: one file each under `queries/`, run and shown on the page unchanged.

Belongs here: reading them, running them on published marts, and encoding their rows for the page. The sections say
what the rows mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import resources
from typing import Any

import duckdb

NAMES = (
    "publication",
    "own_models",
    "leaderboard_models",
    "finetunes",
    "asked",
    "families",
    "sizes",
    "providers",
    "verbosity",
    "claims",
    "nights",
    "scenarios",
    "methods",
)

# As many digits as `evalwatt sql` prints.
_SIGNIFICANT_DIGITS = 6

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A query and its rows."""

    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __iter__(self) -> Iterator[Row]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, **values: Any) -> list[Row]:
        """The rows with these values."""
        return [row for row in self if all(row[name] == value for name, value in values.items())]

    def encoded(self) -> dict[str, Any]:
        """Column by column, for the page's script: numbers with six digits, texts as indices into a list."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        return {"n": len(self), "columns": dict(zip(self.columns, map(_encoded, columns), strict=True))}


def text(name: str) -> str:
    """The text of the query's file."""
    return (resources.files(__package__) / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def ask(connection: duckdb.DuckDBPyConnection) -> dict[str, Answer]:
    """All queries with their rows, by name. The connection has the published file attached as `marts`."""
    answers = {}
    for name in NAMES:
        sql = text(name)
        result = connection.execute(sql)
        columns = tuple(column[0] for column in result.description or ())
        answers[name] = Answer(sql, columns, tuple(result.fetchall()))
    return answers


def _encoded(values: Sequence[Any]) -> dict[str, Any] | list[Any]:
    if any(isinstance(value, str | date) for value in values):
        words = list(dict.fromkeys(map(_word, values)))
        positions = {word: position for position, word in enumerate(words)}
        return {"words": words, "at": [positions[_word(value)] for value in values]}
    return [_number(value) for value in values]


def _word(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return None if value is None else str(value)


def _number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
