"""Fault 1: kill -9 during an evaluation.

Finished tasks stay landed; the run shows as interrupted; running again does only what is missing, and lands it once.
"""

from __future__ import annotations

import signal

from evaluators.landing import lifecycle
from orchestration.warehouse import load as warehouse
from tests.support.processes import evaluator
from tests.support.workplace import TASKS, Workplace

MAY_DIFFER = {
    *("run_id", "status", "reason", "started_at", "ended_at", "duration_s", "command"),
    *("tasks_planned", "tasks_evaluated", "tasks_reused"),
}


def test_01_a_killed_evaluation_keeps_what_it_finished_and_the_next_does_the_rest(held_workplace: Workplace) -> None:
    place = held_workplace
    spec = place.write_spec()
    with evaluator(spec) as killed_one:
        killed_one.wait_for_file(place.held)
        assert lifecycle.close_abandoned(place.home.landing) == [], "it lives"
        killed_one.send(signal.SIGKILL)
        assert killed_one.end() == -signal.SIGKILL
    assert {row["task"] for row in place.rows("task_results")} == {TASKS[0]}

    assert warehouse.load(place.home).interrupted == [spec.stem]
    (killed,) = place.rows("evaluation_runs")
    assert (killed["status"], killed["reason"]) == ("interrupted", lifecycle.SILENT_END)

    place.let_go()
    with evaluator(place.write_spec()) as next_one:
        assert next_one.end() == 0, next_one.said
    landed = [(row["task"], row["metric"]) for row in place.rows("task_results")]
    assert len(landed) == len(set(landed)) == len(TASKS) + 1, "a task evaluation landed twice"
    _, completed = place.rows("evaluation_runs")
    assert (completed["status"], completed["tasks_evaluated"], completed["tasks_reused"]) == ("completed", 3, 1)
    told_apart = {name for name in killed if killed[name] != completed[name]}
    assert told_apart <= MAY_DIFFER, "the marts would not take the two for one evaluation"
