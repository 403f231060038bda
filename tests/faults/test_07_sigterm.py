"""Fault 7: SIGTERM during an evaluation.

The run lands as `interrupted`, and the energy of the finished tasks is kept.
"""

from __future__ import annotations

import signal

from orchestration.warehouse import load as warehouse
from tests.support import tiny
from tests.support.processes import evaluator
from tests.support.workplace import HELD_TASK, TASKS, Workplace


def test_07_a_terminated_evaluation_lands_its_end_and_keeps_its_energy(held_workplace: Workplace) -> None:
    place = held_workplace
    model = tiny.model_entry("tiny-base", "model")
    tiny.save_catalogue(place.path, tasks=[TASKS[0], HELD_TASK, *TASKS[1:]], models=[model], meter="codecarbon")
    with evaluator(place.write_spec()) as stopped:
        stopped.wait_for_file(place.held)
        stopped.send(signal.SIGTERM)
        place.let_go()
        assert stopped.end() == 130, stopped.said
        assert "stopped by SIGTERM; what was finished is kept" in stopped.said
    (run,) = place.rows("evaluation_runs")
    assert (run["status"], run["reason"]) == ("interrupted", "stopped by SIGTERM")
    assert run["ended_at"] is not None
    # Asked and answered when the signal came: it is finished before the process ends.
    finished = {TASKS[0], HELD_TASK}
    assert {row["task"] for row in place.rows("task_results")} == finished
    energies = {row["task"]: row["energy_kwh"] for row in place.rows("task_emissions") if row["phase"] == "inference"}
    assert energies.keys() == finished
    assert all(energy is not None for energy in energies.values())
    report = warehouse.load(place.home)
    assert (report.loaded_runs, report.interrupted, report.quarantined) == (1, [], [])
