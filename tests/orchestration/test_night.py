"""A night in the foreground, for real: evaluator processes, dbt, publication, and a second night with nothing to do."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from rich.console import Console

from evaluators.catalogue.entries import load
from evaluators.plan import in_order
from orchestration.cli import status
from orchestration.cli.results import show_published
from orchestration.home import Home
from orchestration.instance.opening import open_instance
from orchestration.nights import groups
from tests.support.tiny import model_entry, save_catalogue, save_model, save_tasks

# A metric that stands still until it is let go.
HOLDING = """
import time
from pathlib import Path

HERE = Path(__file__).parents[1]


def wait(doc, results):
    (HERE / "held").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return {"acc": 1.0}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that works, one whose folder is missing, and two that stand still; in a folder whose name has a space."""
    folder = tmp_path / "a place"
    save_model(folder / "base")
    save_model(folder / "slow", seed=1)
    tasks = save_tasks(folder / "tasks", ("tiny_one", "tiny_held", "tiny_after"))
    (tasks / "holding.py").write_text(HOLDING)
    held = (tasks / "tiny_held.yaml").read_text().removesuffix("}")
    (tasks / "tiny_held.yaml").write_text(held + ', "process_results": !function holding.wait}')
    models = [model_entry("base", "base"), model_entry("gone", "nowhere")]
    models += [model_entry(name, "slow", suites=["held"]) for name in ("slow-1", "slow-2")]
    path = save_catalogue(folder, tasks=["tiny_one"], models=models)
    document = json.loads(path.read_text())
    document["suites"]["held"] = document["suites"]["tiny"] | {"tasks": ["tiny_held", "tiny_after"]}
    path.write_text(json.dumps(document))
    document["settings"]["seed"] = seed_for(["base", "gone", "slow-1", "slow-2"], path)
    path.write_text(json.dumps(document))
    return folder


def seed_for(order: list[str], catalogue: Path) -> int:
    """A seed that tonight gives the models this order."""
    entries, tonight = load(catalogue), datetime.now(UTC)
    for seed in range(1000):
        settings = entries.settings.model_copy(update={"seed": seed})
        if in_order(order, dataclasses.replace(entries, settings=settings), tonight)[0] == order:
            return seed
    raise AssertionError("no seed gives that order")


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command line as a process; nothing that it started outlives the block."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EVALWATT_", "DAGSTER_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def evalwatt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with started(folder, *arguments) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def status_of(folder: Path, *options: str) -> str:
    """What `evalwatt status` says; in this process, which has loaded Dagster already."""
    places = {"EVALWATT_HOME": str(folder / "data"), "EVALWATT_CATALOGUE": str(folder / "catalogue.yml")}
    answer = CliRunner().invoke(status.command, options, env=places, catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stdout


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 1500
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_canceled_night_publishes_what_is_good_and_a_second_one_repeats_nothing(folder: Path) -> None:
    with started(folder, "run", "--json") as night:
        wait_for(folder / "held", night)
        now = json.loads(status_of(folder, "--json"))
        assert now["running"][0]["model"] == "slow-1"
        doing = now["evaluating"]
        assert (doing["model"], doing["suite"], doing["task"]) == ("slow-1", "held", "tiny_held")
        assert (doing["number"], doing["tasks"], doing["requests"]) == (1, 2, 12)
        assert (now["published"], now["last_night"], now["daemon"]["lives"]) == (None, None, False)
        with started(folder, "cancel") as cancel:
            assert cancel.stderr is not None
            assert cancel.stderr.readline().startswith("stopping slow-1: ")
            (folder / "go").touch()
            said, _ = cancel.communicate()
        assert cancel.returncode == 0
        assert said.splitlines() == [
            "slow-1: stopped; its finished tasks are kept",
            "the `evalwatt run` that was evaluating now refreshes the marts and reports what happened",
            "what is missing is due again: `evalwatt plan` lists it, `evalwatt run` evaluates it",
        ]
        out, err = night.communicate()
    assert night.returncode == 1, err
    assert "tiny_one: acc" in err, "the evaluator's words arrive"
    assert "Traceback" not in err
    answer = json.loads(out)
    assert answer["evaluated"] == {"base": True, "gone": False, "slow-1": False}
    assert "nowhere" in answer["failures"][0]
    assert Path(answer["published"]).is_file()
    assert "<h1" in Path(answer["report"]).read_text(encoding="utf-8")
    told = answer["message"].splitlines()
    assert f"1 of 4 models succeeded, build {Path(answer['published']).parent.name} was published" in told[0]
    assert any(line.startswith("  failed      gone: tiny: ") and "nowhere" in line for line in told)
    assert "  canceled    slow-1: stopped by `evalwatt cancel`; what was finished is kept" in told
    assert "  not begun   slow-2: canceled by `evalwatt cancel`" in told
    assert "  succeeded   base" in told
    assert "never queued" not in answer["message"], "a night in the foreground has no queue"
    assert answer["message"] in err, "it is told once, in the log"

    said = status_of(folder)
    assert said.startswith("running     nothing\n")
    assert answer["message"] in said
    assert f"published   {Path(answer['published']).parent.name}, " in said

    home = Home(folder / "data")
    with open_instance(home) as instance:
        runs = {(run.job_name, run.tags.get("dagster/partition")): run.status.value for run in instance.get_runs()}
        assert runs == {
            ("read_catalogue", None): "SUCCESS",
            ("evaluate_model", "base"): "SUCCESS",
            ("evaluate_model", "gone"): "FAILURE",
            ("evaluate_model", "slow-1"): "FAILURE",
            ("refresh", None): "SUCCESS",
        }
        assert groups.models_being_evaluated(instance) == set()
        _tables_are_described(instance)
        _the_model_has_its_figures(instance)

    query = "select model_id, task from marts.fct_task_evaluations order by all"
    rows = evalwatt(folder, "sql", query, "--format", "json")
    finished = [{"model_id": "base", "task": "tiny_one"}, {"model_id": "slow-1", "task": "tiny_held"}]
    assert json.loads(rows.stdout) == finished, rows.stderr

    shown = io.StringIO()
    show_published(home, Console(file=shown, width=200), home.report_page)
    assert "Leaderboard: no state imported yet; `evalwatt import-leaderboard hub`" in shown.getvalue()

    again = evalwatt(folder, "evaluate", "base")
    assert again.returncode == 0
    assert "base on tiny: not due: all 1 tasks were evaluated" in again.stdout
    refused = evalwatt(folder, "evaluate", "gone")
    assert refused.returncode == 1
    assert refused.stderr.count("nowhere") >= 1

    with open_instance(home) as instance:  # a daemon that starts now has nothing to publish: that is `build`'s
        assert groups.look(instance, None, datetime.now(UTC)).refreshes == []


def test_one_evaluation_is_canceled_by_its_id(folder: Path) -> None:
    with started(folder, "evaluate", "slow-1") as evaluation:
        wait_for(folder / "held", evaluation)
        status = json.loads(status_of(folder, "--json"))
        (running,) = status["running"]
        refused = evalwatt(folder, "cancel", "nobody")
        assert refused.returncode == 2
        assert f"nobody is not running; running: {running['run_id'][:8]}" in refused.stderr
        with started(folder, "cancel", status["evaluating"]["run_id"], "--json") as cancel:
            assert cancel.stderr is not None
            assert cancel.stderr.readline().startswith("stopping slow-1: ")
            (folder / "go").touch()
            said, _ = cancel.communicate()
        assert cancel.returncode == 0
        out, err = evaluation.communicate()
    assert evaluation.returncode == 1, out + err
    assert json.loads(said) == {
        "stopped": ["slow-1"],
        "finished": [],
        "left_the_queue": [],
        "still_running": [],
        "next": "`evalwatt build` publishes what was finished\n"
        "what is missing is due again: `evalwatt plan` lists it, `evalwatt run` evaluates it",
    }
    nothing = evalwatt(folder, "cancel", "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)) == (0, {"next": "nothing is running"})


def _tables_are_described(instance: dg.DagsterInstance) -> None:
    made = _metadata(instance, ["marts", "fct_task_evaluations"])
    assert made["dagster/row_count"].value == 2
    columns = {column.name: column for column in made["dagster/column_schema"].value.columns}
    assert (columns["energy_kwh"].type, columns["started_at"].type) == ("double", "timestamp with time zone")
    assert not columns["run_id"].constraints.nullable
    description = columns["score"].description
    assert description.startswith("The metric as lm-eval computed it, on its own scale. ")
    assert description.endswith("\n\nFrom `int_part_evaluations.score`, `int_task_evaluations.score`")
    sources = made["dagster/column_lineage"].value.deps_by_column["score"]
    assert {(source.asset_key.path[-1], source.column_name) for source in sources} == {
        ("int_part_evaluations", "score"),
        ("int_task_evaluations", "score"),
    }
    view = _metadata(instance, ["staging", "stg_samples"])
    assert "dagster/row_count" not in view
    assert "score" in {column.name for column in view["dagster/column_schema"].value.columns}
    assert _metadata(instance, ["raw", "evaluation_runs"])["dagster/row_count"].value == 3
    assert (
        _metadata(instance, ["publication"])["refresh_s"].value
        > _metadata(instance, ["publication"])["publish_s"].value
    )


def _metadata(instance: dg.DagsterInstance, key: list[str]) -> Mapping[str, Any]:
    (record,) = instance.fetch_materializations(dg.AssetKey(key), limit=5).records
    assert record.asset_materialization is not None
    return record.asset_materialization.metadata


def _the_model_has_its_figures(instance: dg.DagsterInstance) -> None:
    """As the marts have them: what was not metered has no energy, a suite that was canceled has no score, and a model
    that failed has nothing."""
    records = instance.fetch_observations(dg.AssetKey("model_evaluations"), limit=5).records
    observations = [record.asset_observation for record in records if record.asset_observation is not None]
    assert {observation.partition: set(observation.metadata) for observation in observations} == {
        "base": {"score tiny base", "comparability_key tiny base"},
        "slow-1": {"comparability_key held slow-1"},
    }
