"""17. Missing, extra or renamed column upstream: rejected unless a schema version knows it.

A missing column is never a NULL column.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.engines import TokenCounts
from evaluators.landing import bundles
from evaluators.records import SCHEMA_VERSION, TaskEmission
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import raw_schema
from tests.support.landed_files import Change, as_of, raw_tables, reason_of_refusal, rewrite, with_value
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

SCHEMA = bundles.arrow_schema(TaskEmission)


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("samples", lambda t: t.drop_columns(["correct"]), "column correct is missing"),
        ("samples", lambda t: t.append_column("extra", pa.array([1] * t.num_rows)), "column extra is not known"),
        ("samples", lambda t: t.rename_columns({"correct": "right"}), "column correct is missing"),
        ("task_emissions", lambda t: t.drop_columns(["energy_kwh"]), "column energy_kwh is missing"),
        ("task_emissions", lambda t: t.drop_columns(["tokens_computed"]), "column tokens_computed is missing"),
        ("task_emissions", lambda t: t.drop_columns(["schema_version"]), "column schema_version is missing"),
        (
            "task_emissions",
            lambda t: with_value("schema_version", 1)(t).drop_columns(["tokens_computed"]),
            "column tokens_computed is missing",  # the table's other row is of today
        ),
    ],
)
def test_other_columns_are_rejected(tmp_path: Path, table: str, change: Change, reason: str) -> None:
    assert reason in reason_of_refusal(Home(tmp_path / "data"), table, change)


def test_what_an_earlier_schema_version_lacked_is_null_and_stays_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    earlier = BuiltRun(home.landing, "base", [TaskOutcome("mc", [True, False], 100.0)], at=START + timedelta(hours=1))
    run_id = earlier.land()
    for bundle in bundles.bundles(home.landing, run_id):
        for table, path in bundle.files.items():
            rewrite(path, as_of(1, table))
    counts = TokenCounts(computed=5, padding=0, unshared=9, distinct=5)
    BuiltRun(home.landing, "tuned", [TaskOutcome("mc", [True], 1.0, counts=counts, tokens_shared=4)]).land()
    assert warehouse.load(home).quarantined == []
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        query = (
            "select schema_version, tokens_prompt, tokens_unshared, tokens_computed, tokens_padding, tokens_shared, "
            "tokens_distinct from raw.task_emissions where phase = 'inference' order by all"
        )
        older, newer = (1, 20, *[None] * 5), (SCHEMA_VERSION, 10, 9, 5, 0, 4, 5)
        assert connection.sql(query).fetchall() == [older, newer]
    before = raw_tables(home.warehouse)
    warehouse.rebuild(home)
    assert raw_tables(home.warehouse) == before


@given(
    dropped=st.sets(st.sampled_from(SCHEMA.names), max_size=3),
    added=st.sets(st.text(min_size=1).filter(lambda name: name not in SCHEMA.names), max_size=3),
    retyped=st.sets(st.sampled_from(SCHEMA.names), max_size=3),
)
def test_every_difference_is_named(dropped: set[str], added: set[str], retyped: set[str]) -> None:
    other = {pa.string(): pa.int64()}
    fields = [
        f.with_type(other.get(f.type, pa.string())) if f.name in retyped else f for f in SCHEMA if f.name not in dropped
    ] + [pa.field(name, pa.string()) for name in added]
    expected = {f"column {name} is missing" for name in dropped}
    expected |= {f"column {name} is not known" for name in added}
    problems = set(raw_schema.schema_problems(TaskEmission, pa.schema(fields)))
    assert {problem for problem in problems if "must be" not in problem} == expected
    assert len(problems) == len(expected) + len(retyped - dropped)
