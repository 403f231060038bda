"""Fault 1: kill -9 during an evaluation.

Finished tasks stay landed; the run shows as interrupted; running again does only what is missing, and lands it once.
"""

from __future__ import annotations

from conftest import HELD_TASK, TASKS, Workplace
from processes import python, wait_until

from evaluators import lifecycle
from evaluators.run import evaluate
from orchestration import warehouse

MAY_DIFFER = {
    *("run_id", "status", "reason", "started_at", "ended_at", "duration_s", "command"),
    *("tasks_planned", "tasks_evaluated", "tasks_reused"),
}


def test_01_a_killed_evaluation_keeps_what_it_finished_and_the_next_does_the_rest(held_workplace: Workplace) -> None:
    place = held_workplace
    spec = place.write_spec()
    with python("-m", "evaluators", spec, cwd=place.path) as evaluator:
        wait_until(place.held.exists, "the second of four tasks")
        assert lifecycle.close_abandoned(place.home.landing) == [], "it lives"
        evaluator.kill()
    assert {row["task"] for row in place.rows("task_results")} == {TASKS[0]}

    assert warehouse.load(place.home).interrupted == [spec.stem]
    (killed,) = place.rows("evaluation_runs")
    assert (killed["status"], killed["reason"]) == ("interrupted", lifecycle.SILENT_END)

    place.let_go()
    summary = evaluate(place.spec())
    assert (summary.status, summary.reused) == ("completed", (TASKS[0],))
    assert [task.task for task in summary.tasks] == [HELD_TASK, *TASKS[1:]]
    landed = [(row["task"], row["metric"]) for row in place.rows("task_results")]
    assert len(landed) == len(set(landed)) == len(TASKS) + 1, "a task evaluation landed twice"
    _, completed = place.rows("evaluation_runs")
    told_apart = {name for name in killed if killed[name] != completed[name]}
    assert told_apart <= MAY_DIFFER, "the marts would not take the two for one evaluation"
