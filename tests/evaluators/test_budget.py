"""A model's budget of a night: it is stopped cleanly, what was finished stays, the rest stays due."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluators.catalogue.entries import BudgetEntry, CatalogueError, load
from evaluators.energy import Reading
from evaluators.energy.replay import ReplayMeter
from evaluators.harness.interruption import Interruption, OverBudget
from evaluators.landing import bundles
from evaluators.plan import plan
from evaluators.process.night_budget import Watch, excess, spent_since
from evaluators.process.run import evaluate
from evaluators.spec import RunSpec, Spent
from tests.support import tiny
from tests.support.readings import READING
from tests.support.tiny import TASKS, next_spec, rows

WINDOWS = 0.001  # kWh of each replayed window; a run begins with three, and a task has three


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    tiny.save_model(tmp_path / "model")
    tiny.save_tasks(tmp_path / "tasks")
    return tmp_path


def spec_with(workplace: Path, **budget: object) -> RunSpec:
    entry = tiny.model_entry("tiny-base", "model", budget=budget)
    tiny.save_catalogue(workplace, tasks=list(TASKS), models=[entry])
    return next_spec(workplace)


class Meter(ReplayMeter):
    """The same energy for each window; while one is open, what `open_kwh` says in turns."""

    def __init__(self, energy_kwh: float | None = WINDOWS, open_kwh: Iterator[float] | None = None) -> None:
        reading = dataclasses.replace(READING, cpu_energy_kwh=energy_kwh, gpu_method="absent", ram_method="absent")
        super().__init__(_without_end(reading))
        self._open_kwh = open_kwh

    def energy_now(self) -> float | None:
        return None if self._open_kwh is None else next(self._open_kwh)


def _without_end(reading: Reading) -> Iterator[Reading]:
    while True:
        yield reading


def finished(workplace: Path) -> list[object]:
    return [row["task"] for row in rows(workplace, "task_results")]


def test_a_model_over_its_energy_budget_ends_between_tasks_and_is_due_again(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_with(workplace, energy_kwh=0.0055)
    summary = evaluate(spec, meter=Meter())
    assert (summary.status, summary.over_budget) == ("interrupted", True)
    assert summary.reason is not None
    assert summary.reason.startswith("over its energy budget of 0.0055 kWh by 0.0005 kWh (0.006 kWh used): what was ")
    assert "raise the entry's `budget`" in summary.reason
    assert summary.reason in capfd.readouterr().err
    assert finished(workplace) == TASKS[:1]
    (run,) = rows(workplace, "evaluation_runs")
    assert (run["status"], run["reason"], run["tasks_evaluated"]) == ("interrupted", summary.reason, 1)

    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
    assert planned.due
    assert planned.reason == "2 of 3 tasks are missing or excluded (tiny_three, tiny_two); the others are kept"
    # Another night, another budget: raising it made no other evaluation of it.
    again = evaluate(spec_with(workplace, energy_kwh=1.0), meter=Meter())
    assert (again.status, again.reused, len(again.tasks)) == ("completed", ("tiny_one",), 2)
    spec_with(workplace, energy_kwh=2.0)
    assert not plan(load(workplace / "catalogue.yml"), workplace / "home")[0].due


def test_it_ends_within_a_task_where_the_meter_knows_the_open_window(workplace: Path) -> None:
    summary = evaluate(spec_with(workplace, energy_kwh=0.0082), meter=Meter(open_kwh=iter([0.0] * 20 + [0.1] * 99)))
    assert (summary.status, summary.over_budget) == ("interrupted", True)
    assert finished(workplace) == TASKS[:1]
    # Of the second task scoring and a part of inference were metered; they count though the task has no row.
    assert summary.energy_kwh == pytest.approx(8 * WINDOWS)
    assert str(summary.reason).startswith("at its energy budget of 0.0082 kWh (0.008 kWh used)")


@pytest.mark.parametrize("at_once", [True, False])
def test_when_its_time_is_up_a_run_ends_at_once_where_that_is_safe_and_else_when_it_asks(at_once: bool) -> None:
    interruption, budget = Interruption(), BudgetEntry(time=timedelta(hours=1))
    watch = Watch(budget, interruption, lambda: Spent(3599.9), lambda: None)
    with interruption.watching(), watch.running():
        if at_once:
            with pytest.raises(OverBudget), interruption.at_once():
                threading.Event().wait(60)
        else:
            (clock,) = (thread for thread in threading.enumerate() if isinstance(thread, threading.Timer))
            clock.join()
            with pytest.raises(OverBudget):
                interruption.check()


def test_nothing_is_left_of_a_time_budget(workplace: Path) -> None:
    spec = spec_with(workplace, time="1h").model_copy(update={"spent": Spent(4000.0, 0.0)})
    summary = evaluate(spec, meter=Meter())
    assert (summary.status, summary.over_budget, summary.tasks) == ("interrupted", True, ())
    assert "over its time budget of 1 h 00 min by 6 min" in str(summary.reason)


def test_without_energy_only_the_time_budget_is_enforced_and_that_is_said(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = evaluate(spec_with(workplace, energy_kwh=1e-9, time="1h"), meter=Meter(energy_kwh=None))
    assert (summary.status, len(summary.tasks)) == ("completed", 3)
    note = "its energy budget of 1e-09 kWh is not enforced, because its energy is unknown; only its time budget is"
    assert summary.budget_note == note
    assert capfd.readouterr().err.count(note) == 1


def test_a_night_adds_up_its_runs_and_a_killed_one_has_no_energy(workplace: Path) -> None:
    night = datetime.now(UTC) - timedelta(seconds=1)
    spec = spec_with(workplace, energy_kwh=1.0)
    entry, folder = spec.model, spec.landing
    first = evaluate(spec, meter=Meter())
    spent = spent_since(folder, entry, night)
    assert (spent.duration_s, spent.energy_kwh) == (first.duration_s, pytest.approx(12 * WINDOWS))
    assert spent_since(folder, entry, datetime.now(UTC)) == Spent()

    evaluate(next_spec(workplace), meter=Meter())  # nothing is due: nothing is taken
    assert spent_since(folder, entry, night).energy_kwh == pytest.approx(12 * WINDOWS)
    killed = folder / bundles.new_run_id()
    killed.mkdir()
    (killed / "run.json").write_text((folder / spec.run_id / "run.json").read_text().replace(spec.run_id, killed.name))
    assert spent_since(folder, entry, night).energy_kwh is None


def test_the_words_say_which_budget_and_by_how_much() -> None:
    budget = BudgetEntry(time=timedelta(minutes=90), energy_kwh=0.5)
    assert excess(None, Spent(1e9, 1e9)) is None
    assert excess(budget, Spent(5399.0, 0.49)) is None
    assert excess(budget, Spent(5460.0, 0.1)) == "over its time budget of 1 h 30 min by 1 min 00 s (1 h 31 min used)"
    assert excess(budget, Spent(1.0, 0.52)) == "over its energy budget of 0.5 kWh by 0.02 kWh (0.52 kWh used)"
    assert excess(budget, Spent(1.0, None)) is None


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        ({"energy_kwh": 0}, "budget.energy_kwh: Input should be greater than 0"),
        ({"time": "90"}, "budget.time: not a duration; write a number and its unit"),
        ({"energy": 1}, "budget.energy: unknown key; did you mean energy_kwh?"),
        ({}, "budget: sets neither time nor energy_kwh"),
    ],
)
def test_a_budget_that_is_none_is_refused(workplace: Path, budget: dict[str, object], problem: str) -> None:
    with pytest.raises(CatalogueError, match=problem.replace("?", r"\?")):
        spec_with(workplace, **budget)
