"""What a metric is decides how its scores are read: direction, scale, chance, and what a right answer is."""

from __future__ import annotations

import csv
import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import duckdb
import lm_eval.api.metrics  # noqa: F401  registers lm-eval's metrics
from lm_eval.api import registry

from orchestration.home import DBT_PROJECT, Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import BuiltRun, TaskOutcome

SEED = {row["metric"]: row for row in csv.DictReader((DBT_PROJECT / "seeds" / "metrics.csv").open())}


def test_every_metric_that_lm_eval_registers_is_known() -> None:
    assert set(registry.metric_registry) <= SEED.keys()


def test_a_metric_has_a_scale_or_a_reason_for_none() -> None:
    assert all(bool(row["scale"]) != bool(row["no_scale"]) for row in SEED.values())


def test_one_model_does_not_decide_what_its_metric_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    BuiltRun(home.landing, "poor", [share([0, 0, 0, 0]), errors([1, 1, 1, 0])]).land()
    # As far as this model shows, its documents are right or wrong.
    assert built(home) == {("poor", "share"): (0.0, 0, 4), ("poor", "errors"): (25.0, 1, 4)}

    better = BuiltRun(home.landing, "better", [share([0.5, 0.25, 0, 1]), errors([0, 0, 0, 0])])
    better.land()
    assert built(home) == {
        ("poor", "share"): (None, None, 0),
        ("better", "share"): (None, None, 0),
        ("poor", "errors"): (25.0, 1, 4),
        ("better", "errors"): (100.0, 4, 4),
    }

    # The suite states the scale in a later run that finds everything done; it holds for all that was landed.
    plan = {"share": better.plan_of("share") | {"scale": 1}, "errors": better.plan_of("errors")}
    setting = {"task_evaluations_json": json.dumps(plan)}
    dataclasses.replace(better, outcomes=[], setting=setting, at=better.at + timedelta(days=1)).land()
    found = built(home)
    assert (found["poor", "share"], found["better", "share"]) == ((0.0, None, 0), (43.75, None, 0))


def share(values: list[float]) -> TaskOutcome:
    whole = set(values) <= {0, 1}  # as the evaluator lands what it sees
    return TaskOutcome("share", [v > 0 for v in values], 100.0, metric="overlap", scores=values, binary=whole)


def errors(values: list[float]) -> TaskOutcome:
    right = [value == 0 for value in values]
    return TaskOutcome("errors", right, 100.0, metric="error", scores=values, higher_is_better=False)


def built(home: Home) -> dict[tuple[str, str], tuple[float | None, int | None, int]]:
    """By model and task: the normalised score, the correct answers, and how many documents are right or wrong."""
    warehouse.load(home)
    dbt_build(home, "--select", "+fct_samples", "+fct_task_evaluations", "--exclude-resource-type", "unit_test", "test")
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        found = connection.execute(
            """
            select model_id, task, score_normalised, correct_answers, count(correct)
            from marts.fct_task_evaluations inner join marts.fct_samples using (run_id, task, repetition)
            group by all
            """
        ).fetchall()
    return {(model, task): (score, correct, judged) for model, task, score, correct, judged in found}
