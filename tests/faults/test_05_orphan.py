"""Fault 5: the run's worker is killed while its evaluation lives on as an orphan.

The orphan cannot land twice, nor use the device beside its successor.
"""

from __future__ import annotations

import psutil
from dagster import DagsterRunStatus

from orchestration.instance.opening import open_instance
from tests.support.processes import evaluator, is_living, python, wait_until
from tests.support.workplace import HELD_TASK, TASKS, Workplace

EVALUATE = ("-m", "orchestration.cli", "evaluate", "tiny-base")
ANY_VERB = """
from orchestration.foreground import foreground
from orchestration.home import Home
with foreground(Home.from_env()):
    pass
"""


def test_05_an_orphan_ends_alone_and_its_successor_takes_over_what_it_landed(held_workplace: Workplace) -> None:
    place = held_workplace
    with python(*EVALUATE, cwd=place.path) as worker:
        wait_until(lambda: place.held.exists() or worker.process.poll() is not None, "the second of four tasks")
        assert place.held.exists(), worker.said
        (orphan,) = _evaluators(worker.process.pid)
        worker.kill()
        assert orphan.is_running()
        with evaluator(place.write_spec()) as successor:
            successor.wait_for("another evaluation holds")
            assert orphan.is_running()
            assert {row["task"] for row in place.rows("task_results")} == {TASKS[0]}
            place.let_go()
            assert successor.end() == 0, successor.said
        assert not is_living(orphan)

    landed = [(row["task"], row["run_id"]) for row in place.rows("task_results")]
    assert sorted(task for task, _ in landed) == sorted([HELD_TASK, *TASKS]), "a task landed twice"
    runs = place.rows("evaluation_runs")
    assert [(run["status"], run["tasks_evaluated"], run["tasks_reused"]) for run in runs] == [
        ("completed", 4, 0),
        ("completed", 0, 4),
    ]

    with open_instance(place.home) as instance:
        (run,) = [run for run in instance.get_runs() if run.job_name == "evaluate_model"]
        assert run.status == DagsterRunStatus.STARTED, "Dagster has not noticed"
        with python("-c", ANY_VERB, cwd=place.path, environment={"EVALWATT_HOME": str(place.home.path)}) as verb:
            assert verb.end() == 0, verb.said
        closed = instance.get_run_by_id(run.run_id)
        assert closed is not None
        assert closed.status == DagsterRunStatus.FAILURE


def _evaluators(worker: int) -> list[psutil.Process]:
    return [
        p for p in psutil.Process(worker).children(recursive=True) if "orchestration.pipes_evaluator" in p.cmdline()
    ]
