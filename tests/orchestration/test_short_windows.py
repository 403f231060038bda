"""Which windows count is one rule, in the evaluator and in the marts: both are asked the same table of cases."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import duckdb
import pytest

from evaluators.energy.short_windows import believed
from evaluators.summary import TaskSummary
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

Case = dict[str, str]
CASES: list[Case] = list(csv.DictReader((Path(__file__).parents[1] / "short_windows.csv").open(encoding="utf-8")))


def _groups(of: Callable[[Case], str]) -> Iterator[tuple[str, list[Case]]]:
    for key, rows in groupby(sorted(CASES, key=of), key=of):
        yield key, list(rows)


def _energy_j(case: Case) -> float | None:
    return float(case["energy_j"]) if case["energy_j"] else None


def _evaluated(case: Case) -> TaskSummary:
    energy_j = _energy_j(case)
    return TaskSummary(
        task=case["case"],
        metric="acc",
        score=0.5,
        stderr=None,
        documents=4,
        duration_s=float(case["duration_s"]),
        energy_kwh=None if energy_j is None else energy_j / 3.6e6,
        energy_method="modelled",
        tokens_prompt=1,
        tokens_generated=1,
        repetition=int(case["repetition"]),
        flags=tuple(filter(None, case["flags"].split(","))),
    )


@pytest.mark.parametrize(
    "rows", [pytest.param(rows, id=key) for key, rows in _groups(lambda case: f"{case['case']} {case['run']}")]
)
def test_the_evaluator_counts_them(rows: list[Case]) -> None:
    counted = {summary.repetition for summary in believed([_evaluated(case) for case in rows])}
    assert counted == {int(case["repetition"]) for case in rows if case["counts"] == "true"}


def test_the_marts_count_them(tmp_path: Path) -> None:
    home, run_of = Home(tmp_path), {}
    for number, rows in _groups(lambda case: case["run"]):
        outcomes = [
            TaskOutcome(
                case["case"],
                [True] * 4,
                _energy_j(case),
                duration_s=float(case["duration_s"]),
                repetition=int(case["repetition"]),
                flags=case["flags"] or None,
            )
            for case in rows
        ]
        run_of[BuiltRun(home.landing, "model", outcomes, at=START + timedelta(days=int(number))).land()] = number
    assert not warehouse.load(home).quarantined
    dbt_build(home, "--select", "+int_task_evaluations", "--exclude-resource-type", "unit_test")
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        found = connection.execute(
            "select task, run_id, repetition, energy_reason is null from intermediate.int_task_evaluations"
        ).fetchall()
    assert {(task, run_of[run], str(repetition)): counts for task, run, repetition, counts in found} == {
        (case["case"], case["run"], case["repetition"]): case["counts"] == "true" for case in CASES
    }
