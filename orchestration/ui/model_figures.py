"""The current figures of each model's suites in the published marts, which Dagster plots over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

# A model may have been metered in several settings: this takes the one that the report and the claims prefer.
_QUERY = """
    select model_id, suite, score, energy_kwh, joules_per_correct, comparability_key
    from marts.mart_model_efficiency
    where basis = 'measured' and is_current
    qualify row_number() over (partition by model_id, suite order by headline_rank) = 1
    order by model_id, suite
"""


@dataclass(frozen=True, slots=True)
class SuiteFigures:
    """A model's figures in one suite; None if the mart has a reason instead."""

    model: str
    suite: str
    score: float | None
    energy_kwh: float | None
    joules_per_correct: float | None
    comparability_key: str


def model_figures(published: Path) -> Iterator[SuiteFigures]:
    """The figures of every model metered here; `published` is a version's `marts.duckdb`."""
    with duckdb.connect(published, read_only=True) as connection:
        rows = connection.execute(_QUERY).fetchall()
    return (SuiteFigures(*row) for row in rows)
