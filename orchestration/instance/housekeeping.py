"""Deletes Dagster's history of old runs: their events and their output.

Dagster itself deletes only ticks. Belongs here: Dagster's history under EVALWATT_HOME/dagster. Does not belong here:
the landing, which is kept for ever, or published versions (`publication`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.home import Home
from orchestration.instance.names import PARTITION_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun


def delete_old_runs(instance: DagsterInstance, home: Home, keep: timedelta, now: datetime | None = None) -> list[str]:
    """Delete ended runs that were created longer ago than `keep`; returns their ids.

    The newest successful run of a job and partition stays, however old: from it Dagster knows that a model was
    evaluated, or a state imported.
    """
    from dagster import DagsterRunStatus, RunsFilter

    old = instance.get_runs(RunsFilter(created_before=(now or datetime.now(UTC)) - keep))
    if not old:
        return []  # the usual case: every verb that evaluates or builds calls this
    newest: dict[tuple[str, str | None], str] = {}
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.SUCCESS])):  # newest first
        newest.setdefault(_what(run), run.run_id)
    deleted = [run.run_id for run in old if run.is_finished and newest.get(_what(run)) != run.run_id]
    for run_id in deleted:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        # SQLite leaves an empty file behind.
        for path in (home.dagster / "history" / "runs").glob(f"{run_id}.db*"):
            path.unlink(missing_ok=True)
    return deleted


def _what(run: DagsterRun) -> tuple[str, str | None]:
    return run.job_name, run.tags.get(PARTITION_TAG)
