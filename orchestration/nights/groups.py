"""Which evaluation runs belong together, and whether all of them have ended.

A group is a night, a backfill, or a manually launched run with its retries. Belongs here: looking at an instance's
runs. Does not belong here: requesting runs (`automation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.instance.names import (
    DEADLINE_TAG,
    EVALUATIONS,
    FOREGROUND_TAG,
    NIGHT_SIZE_TAG,
    NIGHT_TAG,
    PARTITION_TAG,
    REFRESH_OF_TAG,
)

EVALUATE_JOB = "evaluate_model"
REFRESH_JOB = "refresh"

_BACKFILL_TAG = "dagster/backfill"
_ROOT_RUN_TAG = "dagster/root_run_id"
_WILL_RETRY_TAG = "dagster/will_retry"
_RETRIED_TAG = "dagster/auto_retry_run_id"

_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
ALIVE = [status for status in dg.DagsterRunStatus if status not in _ENDED]
_BACKFILL_ALIVE = {"REQUESTED", "CANCELING", "FAILING"}
_FIRST_LOOK = timedelta(hours=1)
_OVERLAP = timedelta(minutes=1)  # a run's update may become visible a moment after a later one; run keys absorb this
_RETRY_GRACE = timedelta(minutes=10)  # in rare cases the daemon sets "will retry" and then does not retry


@dataclass(frozen=True)
class Look:
    """What one look at the instance found. `refreshes` are run keys; the same state gives the same keys."""

    refreshes: list[str]
    waiting: list[str]
    cursor: str
    late: list[dg.DagsterRun]  # still in the queue though their night's deadline has passed


def tags(night: str, size: int, deadline: datetime) -> dict[str, str]:
    """The tags of a night's runs: enough to tell later whether the night is over."""
    return {NIGHT_TAG: night, NIGHT_SIZE_TAG: str(size), DEADLINE_TAG: deadline.astimezone(UTC).isoformat()}


def models_being_evaluated(instance: dg.DagsterInstance) -> set[str]:
    """Models with an evaluation that is queued or running."""
    return {run.tags[PARTITION_TAG] for run in running(instance) if PARTITION_TAG in run.tags}


def look(instance: dg.DagsterInstance, cursor: str | None, now: datetime) -> Look:
    """Find the groups that changed since the cursor, and those of them that need a refresh."""
    since = datetime.fromisoformat(cursor) if cursor else now - _FIRST_LOOK
    changed = instance.get_run_records(dg.RunsFilter(updated_after=since))
    oldest: dict[str, datetime] = {}
    for record in changed:
        if _wants_refresh(record.dagster_run):
            group, updated = _group(record.dagster_run), record.update_timestamp.replace(tzinfo=UTC)
            oldest[group] = min(updated, oldest.get(group, updated))
    refreshes, waiting, held, late = [], [], [now], list[dg.DagsterRun]()
    for group, updated in oldest.items():
        records = _records(instance, group)
        open_reason = _open_reason(instance, group, records, now)
        if open_reason is None:
            last = max(records, key=lambda record: (record.end_time or 0.0, record.storage_id))
            refreshes.append(f"{group} until {last.dagster_run.run_id}")
            continue
        held.append(updated)
        waiting.append(f"{group}: {open_reason}")
        if not _is_late(records, now):
            continue
        queued = [record.dagster_run for record in records if record.dagster_run.status == dg.DagsterRunStatus.QUEUED]
        late += queued
        if not queued:
            refreshes.append(f"{group} at its deadline")
    return Look(sorted(refreshes), sorted(waiting), (min(held) - _OVERLAP).isoformat(), late)


def running(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Queued and running evaluations, oldest first."""
    records = instance.get_run_records(dg.RunsFilter(statuses=ALIVE))
    alive = [record for record in records if _evaluates(record.dagster_run)]
    return [record.dagster_run for record in sorted(alive, key=lambda record: record.storage_id)]


def refresh_of(instance: dg.DagsterInstance, night: str, now: datetime) -> dg.DagsterRun | None:
    """A night's first refresh that has ended; None if there is none yet."""
    begun = datetime.fromisoformat(night)
    records = instance.get_run_records(dg.RunsFilter(job_name=REFRESH_JOB, created_after=begun))
    of_night = [r for r in records if r.dagster_run.tags.get(REFRESH_OF_TAG, "").startswith(f"night {night} ")]
    ended = sorted((record for record in of_night if _is_over(record, now)), key=lambda record: record.storage_id)
    return ended[0].dagster_run if ended else None


def _evaluates(run: dg.DagsterRun) -> bool:
    return run.job_name == EVALUATE_JOB or dg.AssetKey(EVALUATIONS) in (run.asset_selection or ())


def _wants_refresh(run: dg.DagsterRun) -> bool:
    return _evaluates(run) and FOREGROUND_TAG not in run.tags


def _group(run: dg.DagsterRun) -> str:
    for kind, tag in (("night", NIGHT_TAG), ("backfill", _BACKFILL_TAG), ("run", _ROOT_RUN_TAG)):
        if tag in run.tags:
            return f"{kind} {run.tags[tag]}"
    return f"run {run.run_id}"


def _records(instance: dg.DagsterInstance, group: str) -> Sequence[dg.RunRecord]:
    kind, _, name = group.partition(" ")
    if kind == "run":
        filters = [dg.RunsFilter(run_ids=[name]), dg.RunsFilter(tags={_ROOT_RUN_TAG: name})]
    else:
        filters = [dg.RunsFilter(tags={{"night": NIGHT_TAG, "backfill": _BACKFILL_TAG}[kind]: name})]
    found = [record for wanted in filters for record in instance.get_run_records(wanted)]
    return [record for record in found if _wants_refresh(record.dagster_run) and _group(record.dagster_run) == group]


def _open_reason(
    instance: dg.DagsterInstance, group: str, records: Sequence[dg.RunRecord], now: datetime
) -> str | None:
    """Why the group has not ended yet; None if it has."""
    size = max((int(record.dagster_run.tags.get(NIGHT_SIZE_TAG, 0)) for record in records), default=0)
    missing = size - len(_partitions(records))
    if missing > 0:
        return f"{missing} of {size} runs have not been queued yet"
    unfinished = [record for record in records if not _is_over(record, now)]
    if unfinished:
        return f"{len(unfinished)} of {len(records)} runs have not ended yet"
    if group.startswith("backfill "):
        backfill = instance.get_backfill(group.partition(" ")[2])
        if backfill is not None and backfill.status.value in _BACKFILL_ALIVE:
            return "the backfill has not ended yet"
    return None


def _partitions(records: Iterable[dg.RunRecord]) -> set[str]:
    return {record.dagster_run.tags.get(PARTITION_TAG, record.dagster_run.run_id) for record in records}


def _is_over(record: dg.RunRecord, now: datetime) -> bool:
    run = record.dagster_run
    if run.status not in _ENDED:
        return False
    will_retry = run.tags.get(_WILL_RETRY_TAG) == "true" and _RETRIED_TAG not in run.tags
    return not will_retry or now - record.update_timestamp.replace(tzinfo=UTC) > _RETRY_GRACE


def _is_late(records: Sequence[dg.RunRecord], now: datetime) -> bool:
    """Whether the deadline has passed while part of the night itself, not a later re-execution, is still open."""
    deadlines = [record.dagster_run.tags[DEADLINE_TAG] for record in records if DEADLINE_TAG in record.dagster_run.tags]
    if not deadlines or now < (deadline := datetime.fromisoformat(deadlines[0])):
        return False
    planned = [record for record in records if record.create_timestamp.replace(tzinfo=UTC) < deadline]
    size = int(records[0].dagster_run.tags[NIGHT_SIZE_TAG])
    return len(_partitions(planned)) < size or any(not _is_over(record, now) for record in planned)
