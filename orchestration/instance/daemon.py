"""Whether Dagster's daemon is running, according to its heartbeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

# The daemon sends a heartbeat every 30 s. Dagster calls it dead after half an hour, which is too long for a person.
_TOLERATED = timedelta(minutes=2)
_DAEMONS = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")  # those that a night needs


def last_heartbeat(instance: DagsterInstance) -> datetime | None:
    """The oldest of the last heartbeats of the daemons that a night needs; None if one of them has never run."""
    beats = instance.get_daemon_heartbeats()
    found = [beats[name].timestamp for name in _DAEMONS if name in beats]
    return datetime.fromtimestamp(min(found), UTC) if len(found) == len(_DAEMONS) else None


def lives(instance: DagsterInstance) -> bool:
    last = last_heartbeat(instance)
    return last is not None and datetime.now(UTC) - last <= _TOLERATED
