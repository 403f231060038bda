"""18. NaN or infinite energy or score: rejected. NaN passes `not_null` and `>= 0`."""

from __future__ import annotations

import math
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluators.energy import quality
from evaluators.energy.replay import ReplayMeter
from evaluators.landing import bundles
from evaluators.records import TaskEmission
from orchestration.home import Home
from orchestration.warehouse import raw_schema
from tests.support import tiny
from tests.support.evaluations import evaluate_all, rows, save_workplace
from tests.support.landed_files import reason_of_refusal, with_value
from tests.support.readings import reading

EMISSIONS = pa.table(
    {name: [None] for name in bundles.arrow_schema(TaskEmission).names},
    schema=pa.schema([f.with_nullable(True) for f in bundles.arrow_schema(TaskEmission)]),
)


def test_the_usual_data_tests_let_nan_through() -> None:
    assert duckdb.sql("select 'NaN'::double is not null and 'NaN'::double >= 0").fetchall() == [(True,)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("table", "column"), [("task_emissions", "energy_kwh"), ("task_results", "value"), ("samples", "score")]
)
def test_a_landed_one_is_rejected(tmp_path: Path, table: str, column: str, value: float) -> None:
    reason = reason_of_refusal(Home(tmp_path / "data"), table, with_value(column, value))
    assert f"column {column} holds {value}" in reason


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    name=st.sampled_from([c for c, type_, _ in raw_schema.raw_columns(TaskEmission) if type_ == "DOUBLE"]),
    value=st.floats(),
)
def test_no_number_enters_but_a_finite_one_from_zero_up(name: str, value: float) -> None:
    problems = list(raw_schema.row_problems(TaskEmission, with_value(name, value)(EMISSIONS), "run"))
    complains = any(problem.startswith(f"column {name} holds") for problem in problems)
    assert complains == (not 0 <= value < math.inf)


def test_a_meter_that_answers_one_gives_null_and_a_reason(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one")
    meter = ReplayMeter([reading(cpu_energy_kwh=value) for value in (0.1, math.nan, math.inf)] * 10)
    (summary,) = evaluate_all(tmp_path, meter)
    assert summary.status == "completed"
    found = {row["quality_flags"]: row["energy_kwh"] for row in rows(tmp_path, "task_emissions")}
    assert found["not_finite"] is None
    assert quality.MEANINGS["not_finite"] in {row["quality_note"] for row in rows(tmp_path, "task_emissions")}


def test_a_task_whose_score_is_none_fails_with_its_reason(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one", "tiny_two")
    tasks = tmp_path / "tasks"
    (tasks / "metrics.py").write_text("def nan(values):\n    return float('nan')\n")
    tiny.use_function(tasks, "tiny_one", "aggregation", "metrics.nan")
    (summary,) = evaluate_all(tmp_path)
    assert summary.failures == {"tiny_one": summary.failures["tiny_one"]}
    assert "metric acc,none is nan" in summary.failures["tiny_one"]
    assert {row["task"] for row in rows(tmp_path, "task_results")} == {"tiny_two"}
