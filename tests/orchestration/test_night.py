"""A night in the foreground, for real: evaluator processes, dbt, publication, and a second night with nothing to do."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console
from tiny import model_entry, save_catalogue, save_model, save_tasks

from orchestration.cli.results import explanations, show_published
from orchestration.defs import nights
from orchestration.home import Home
from orchestration.instance import open_instance


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that works, and one whose folder is missing; in a folder whose name has a space."""
    folder = tmp_path / "a place"
    save_model(folder / "base")
    save_tasks(folder / "tasks", ("tiny_one",))
    models = [model_entry("base", "base"), model_entry("gone", "nowhere")]
    save_catalogue(folder, tasks=["tiny_one"], models=models)
    return folder


def evalwatt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EVALWATT_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_failed_model_stops_nothing_and_a_second_night_repeats_nothing(folder: Path) -> None:
    first = evalwatt(folder, "run", "--json")
    assert first.returncode == 1, first.stderr
    assert "tiny_one: acc" in first.stderr, "the evaluator's words arrive"
    answer = json.loads(first.stdout)
    assert answer["evaluated"] == {"base": True, "gone": False}
    assert len(answer["failures"]) == 1
    assert "nowhere" in answer["failures"][0]
    assert Path(answer["published"]).is_file()
    assert "Traceback" not in first.stderr

    home = Home(folder / "data")
    with open_instance(home) as instance:
        runs = {(run.job_name, run.tags.get("dagster/partition")): run.status.value for run in instance.get_runs()}
        assert runs == {
            ("read_catalogue", None): "SUCCESS",
            ("evaluate_model", "base"): "SUCCESS",
            ("evaluate_model", "gone"): "FAILURE",
            ("refresh", None): "SUCCESS",
        }
        assert nights.models_being_evaluated(instance) == set()
        _tables_are_described(instance)
        _the_model_has_its_figures(instance)

    query = "select model_id, count(*) over () as n from marts.fct_task_evaluations"
    rows = evalwatt(folder, "sql", query, "--format", "json")
    assert json.loads(rows.stdout) == [{"model_id": "base", "n": 1}], rows.stderr

    shown = io.StringIO()
    show_published(home, Console(file=shown, width=200))
    assert "Leaderboard: no state of it is imported; `evalwatt import-leaderboard hub`" in shown.getvalue()
    assert (
        "too_short: the window is shorter than 1 s, ten updates of the sensor; ask more documents" in shown.getvalue()
    )

    again = evalwatt(folder, "evaluate", "base")
    assert again.returncode == 0
    assert "base on tiny: not due: all 1 tasks were evaluated" in again.stdout
    refused = evalwatt(folder, "evaluate", "gone")
    assert refused.returncode == 1
    assert refused.stderr.count("nowhere") >= 1

    with open_instance(home) as instance:  # a daemon that starts now has nothing to publish: that is `build`'s
        assert nights.look(instance, None, datetime.now(UTC)).refreshes == []


def _tables_are_described(instance: dg.DagsterInstance) -> None:
    made = _metadata(instance, ["marts", "fct_task_evaluations"])
    assert made["dagster/row_count"].value == 1
    columns = {column.name: column for column in made["dagster/column_schema"].value.columns}
    assert (columns["energy_kwh"].type, columns["started_at"].type) == ("double", "timestamp with time zone")
    assert not columns["run_id"].constraints.nullable
    assert columns["score"].description == (
        "The metric as lm-eval computed it, on its own scale.\n\nFrom `int_task_evaluations.score`"
    )
    (source,) = made["dagster/column_lineage"].value.deps_by_column["score"]
    assert (source.asset_key, source.column_name) == (dg.AssetKey(["intermediate", "int_task_evaluations"]), "score")
    view = _metadata(instance, ["staging", "stg_samples"])
    assert "dagster/row_count" not in view
    assert "correct" in {column.name for column in view["dagster/column_schema"].value.columns}
    assert _metadata(instance, ["raw", "evaluation_runs"])["dagster/row_count"].value == 2
    assert (
        _metadata(instance, ["publication"])["refresh_s"].value
        > _metadata(instance, ["publication"])["publish_s"].value
    )


def _metadata(instance: dg.DagsterInstance, key: list[str]) -> Mapping[str, Any]:
    (record,) = instance.fetch_materializations(dg.AssetKey(key), limit=5).records
    assert record.asset_materialization is not None
    return record.asset_materialization.metadata


def _the_model_has_its_figures(instance: dg.DagsterInstance) -> None:
    """As the marts have them: a window that is too short has no energy, and a model that failed has nothing."""
    (record,) = instance.fetch_observations(dg.AssetKey("model_evaluations"), limit=5).records
    observation = record.asset_observation
    assert observation is not None
    assert observation.partition == "base"
    assert set(observation.metadata) == {"score tiny base", "comparability_key tiny base"}


def test_a_flag_is_explained_once_with_what_to_do() -> None:
    notes = ["base: mini_dates: flagged foreign_load; mini_boolean: flagged foreign_load", "tuned: flagged stuck"]
    foreign, stuck = sorted(explanations(notes))
    assert foreign.startswith("foreign_load: other programs took more than 10%")
    assert "`evalwatt evaluate MODEL --force`" in foreign
    assert stuck.startswith("stuck: a sensor stood still")
