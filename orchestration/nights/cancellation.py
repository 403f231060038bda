"""Cancels evaluations cleanly: queued ones leave the queue, the running one gets SIGTERM.

This works the same with and without a daemon, because it needs only the instance and the evaluator's process. The runs
are marked first, so that nothing further starts; then the evaluator gets SIGTERM, lands what it has finished, and its
run ends as failed with that reason. An evaluator that does not stop is killed with all its children: by its guard
(`evaluators.process.guard`), or from here if SIGTERM does not reach it. The refresh stays with the sensor, or with the
`evalwatt run` that waits for its models.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evaluators.process import activity
from evaluators.process.guard import GRACE_S, kill_tree
from orchestration.home import Home
from orchestration.instance.names import CANCEL_TAG, CANCELED_TAG, PARTITION_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

# The guard acts first, because it logs what it does; Dagster then has half a minute to end the run.
KILL_S = GRACE_S + 10.0
WAIT_S = GRACE_S + 40.0
_LOOK_EVERY_S = 0.2


@dataclass(slots=True)
class Canceled:
    """Models by outcome: `finished` were done before they could be stopped, `still_running` did not stop."""

    left_the_queue: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    still_running: list[str] = field(default_factory=list)


def leave_the_queue(instance: DagsterInstance, runs: Sequence[DagsterRun], why: str) -> list[DagsterRun]:
    """Cancel the runs that are still queued, and return them."""
    from dagster import DagsterRunStatus

    waiting = [run for run in runs if run.status == DagsterRunStatus.QUEUED]
    for run in waiting:
        instance.add_run_tags(run.run_id, {CANCELED_TAG: why})
        instance.run_coordinator.cancel_run(run.run_id)
    return waiting


def cancel(
    instance: DagsterInstance,
    home: Home,
    runs: Sequence[DagsterRun],
    scope: str,
    why: str,
    say: Callable[[str], None],
    kill_s: float = KILL_S,
    wait_s: float = WAIT_S,
) -> Canceled:
    """Cancel the runs and wait until they end. `scope`: RUN, or NIGHT, which also starts no further model.

    An evaluator that is alive `kill_s` after SIGTERM is killed; the wait ends after `wait_s` in any case.
    """
    waiting = leave_the_queue(instance, runs, why)
    canceled = Canceled(left_the_queue=[_model(run) for run in waiting])
    left = {run.run_id: run for run in runs if run not in waiting}
    for run_id in left:
        instance.add_run_tags(run_id, {CANCEL_TAG: scope})
    signalled: dict[int, float] = {}  # when, by process id
    deadline = time.monotonic() + wait_s
    while left:
        evaluating = activity.read(home.path)
        models = {_model(run) for run in left.values()}
        if evaluating is not None and evaluating.process_id not in signalled and evaluating.model in models:
            say(f"stopping {evaluating.model}: it finishes its current document and lands its finished tasks")
            with suppress(ProcessLookupError):
                os.kill(evaluating.process_id, signal.SIGTERM)
            signalled[evaluating.process_id] = time.monotonic()
        for process_id, since in signalled.items():
            if time.monotonic() <= since + kill_s:
                continue
            signalled[process_id] = math.inf  # only once: the id may soon belong to another process
            if kill_tree(process_id):
                say(f"process {process_id} did not stop within {kill_s:.0f} s: killed it and all its children")
        for run_id in list(left):
            found = instance.get_run_by_id(run_id)
            if found is None or found.is_finished:
                ended = canceled.finished if found is not None and found.is_success else canceled.stopped
                ended.append(_model(left.pop(run_id)))
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY_S)
    canceled.still_running = [_model(run) for run in left.values()]
    return canceled


def _model(run: DagsterRun) -> str:
    return run.tags.get(PARTITION_TAG, run.run_id)
