"""16. A number arrives as text, a timestamp without zone: rejected by the raw contract.

A wrong type would silently sort "9" above "39", and a timestamp without zone would be anybody's noon.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.home import Home
from tests.support.landed_files import reason_of_refusal, retyped


@pytest.mark.parametrize(
    ("table", "column", "type_", "reason"),
    [
        ("task_emissions", "energy_kwh", pa.string(), "column energy_kwh is string, must be double"),
        ("task_results", "value", pa.string(), "column value is string, must be double"),
        ("task_results", "value", pa.float32(), "column value is float, must be double"),
        ("samples", "tokens_generated", pa.string(), "column tokens_generated is string, must be int64"),
        ("samples", "tokens_generated", pa.float64(), "column tokens_generated is double, must be int64"),
        ("task_emissions", "started_at", pa.timestamp("us"), "must be timestamp[us, tz=UTC]"),
        ("task_emissions", "started_at", pa.timestamp("us", tz="Europe/Berlin"), "must be timestamp[us, tz=UTC]"),
        ("task_emissions", "ended_at", pa.string(), "column ended_at is string, must be timestamp[us, tz=UTC]"),
    ],
)
def test_another_type_is_rejected(tmp_path: Path, table: str, column: str, type_: pa.DataType, reason: str) -> None:
    home = Home(tmp_path / "data")
    assert reason in reason_of_refusal(home, table, retyped(column, type_))
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        loaded = connection.execute(
            f"select distinct typeof({column}) from raw.{table} where {column} is not null"
        ).fetchall()
    assert loaded in ([("DOUBLE",)], [("BIGINT",)], [("TIMESTAMP WITH TIME ZONE",)])
