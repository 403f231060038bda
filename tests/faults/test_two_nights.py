"""Two nights in a row with a fault in the middle of each: the marts of the third are what they would have been.

The first night's evaluator is killed in its second task, the second night's dbt in the middle of its tables. Energies
come from a replayed meter, so that they are the same in both homes.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evaluators.catalogue.entries import load
from evaluators.energy import Reading
from evaluators.energy.replay import ReplayMeter
from evaluators.plan import make_spec, plan
from evaluators.process import run
from orchestration.home import DBT_PROJECT, MARTS_FILE, Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from orchestration.warehouse.marts_files import PUBLICATION
from tests.support import tiny
from tests.support.dbt_runner import DBT, dbt_build
from tests.support.processes import evaluator, python
from tests.support.readings import READING
from tests.support.two_nights import SOME_MARTS
from tests.support.workplace import HELD_TASK, TASKS, Workplace

# A run more idles, loads and warms up once more.
SETUP_KWH = {f"{phase}_{known}kwh" for phase in ("idle", "load", "warmup") for known in ("", "known_")}
NIGHT_SUMS = {"energy_kwh", "energy_known_kwh", "emissions_kg", "emissions_known_kg", "duration_s"}
OF_RUNS = {
    "dim_models": {"first_run_at", "last_run_at"},
    "mart_emissions_history": {"runs"} | SETUP_KWH | NIGHT_SUMS,
    "mart_model_efficiency": {f"{phase}_share" for phase in ("idle", "load", "warmup", "inference", "scoring")},
}
ALL_MARTS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")


def replay() -> None:
    """In the evaluator's process: every window has the same reading."""

    def readings() -> Iterator[Reading]:
        while True:
            yield READING

    run.make_meter = lambda *_, **__: ReplayMeter(readings())  # type: ignore[attr-defined]


@pytest.fixture
def place(held_workplace: Workplace) -> Workplace:
    """A model and its fine-tune; a task of their suite pauses until it is released."""
    folder = held_workplace.path
    tiny.save_model(folder / "tuned", seed=1)
    entries = [
        tiny.model_entry("tiny-base", "model"),
        tiny.model_entry("tiny-tuned", "tuned", kind="fine_tuned", base_model="tiny-base"),
    ]
    tiny.save_catalogue(folder, tasks=[TASKS[0], HELD_TASK, *TASKS[1:]], models=entries)
    return held_workplace


def evaluate(place: Workplace, home: Home, model: str, *, kill: bool = False) -> None:
    """What is due of the model; with `kill`, only until it has answered its second task."""
    catalogue = load(place.path / "catalogue.yml")
    (planned,) = plan(catalogue, home.path, models=[model])
    assert planned.due
    spec = make_spec(catalogue, planned, home.path)
    path = place.path / f"{spec.run_id}.json"
    path.write_text(spec.model_dump_json())
    with evaluator(path, before=replay) as process:
        if kill:
            process.wait_for_file(place.held)
            process.send(signal.SIGKILL)
            assert process.end() == -signal.SIGKILL
        else:
            assert process.end() == 0, process.said


def refresh(home: Home, *selection: str) -> None:
    warehouse.load(home)
    dbt_build(home, *selection)
    publication.publish(home)


def refresh_killed(home: Home) -> None:
    warehouse.load(home)
    environment = {"EVALWATT_HOME": str(home.path), "DBT_TARGET_PATH": str(home.dbt_target)}
    environment["DBT_LOG_PATH"] = str(home.dbt_target)
    with python(
        *("-c", DBT, "--no-use-colors", "build", *SOME_MARTS, "--profiles-dir", "."),
        cwd=DBT_PROJECT,
        environment=environment,
    ) as dbt:
        dbt.wait_for("OK created sql incremental model")
        assert dbt.kill() == -signal.SIGKILL


def test_the_third_night_is_what_it_would_have_been(place: Workplace, tmp_path: Path) -> None:
    home, undisturbed = place.home, Home(tmp_path / "undisturbed")
    evaluate(place, home, "tiny-base", kill=True)
    refresh(home, *SOME_MARTS)
    place.let_go()
    evaluate(place, home, "tiny-base")
    refresh_killed(home)
    evaluate(place, home, "tiny-tuned")
    refresh(home, *ALL_MARTS)

    evaluate(place, undisturbed, "tiny-base")
    evaluate(place, undisturbed, "tiny-tuned")
    shutil.copytree(home.dbt_target, undisturbed.dbt_target)  # dbt need not read its project again
    refresh(undisturbed, *ALL_MARTS)
    found, expected = (contents(h.current / MARTS_FILE) for h in (home, undisturbed))
    assert found == expected
    assert {name: len(found[name]) for name in ("fct_task_evaluations", "mart_base_vs_finetuned_deltas")} == {
        "fct_task_evaluations": 2 * 4,
        "mart_base_vs_finetuned_deltas": 5,
    }
    # The second attempt was made and used energy, which is neither lost nor hidden.
    runs = "select model_id, runs from mart_emissions_history order by all"
    with duckdb.connect(home.marts, read_only=True) as connection:
        assert connection.execute(runs).fetchall() == [("tiny-base", 2), ("tiny-tuned", 1)]
        runs = "select model_id, status from fct_evaluation_runs order by started_at"
        ended = [("tiny-base", "interrupted"), ("tiny-base", "completed"), ("tiny-tuned", "completed")]
        assert connection.execute(runs).fetchall() == ended


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All marts but the list of runs itself, without what a run is called and what it takes to begin one."""
    with duckdb.connect(path, read_only=True) as connection:
        left_out = {PUBLICATION, "fct_evaluation_runs"}
        tables = [name for (name,) in connection.execute("show tables").fetchall() if name not in left_out]
        found = {}
        for name in tables:
            kept = "select columns(c -> not list_contains($left_out, c)) from query_table($name) order by all"
            columns = sorted(OF_RUNS.get(name, {"run_id"}))
            found[name] = connection.execute(kept, {"left_out": columns, "name": name}).fetchall()
        return found
