"""A night in the foreground, for real: evaluator processes, dbt, publication, and a second night with nothing to do."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

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
    assert "<h1" in Path(answer["report"]).read_text(encoding="utf-8")
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


def test_a_flag_is_explained_once_with_what_to_do() -> None:
    notes = ["base: mini_dates: flagged foreign_load; mini_boolean: flagged foreign_load", "tuned: flagged stuck"]
    foreign, stuck = sorted(explanations(notes))
    assert foreign.startswith("foreign_load: other programs took more than 10%")
    assert "`evalwatt evaluate MODEL --force`" in foreign
    assert stuck.startswith("stuck: a sensor stood still")
