"""Whether Dagster's daemon lives, by its own heartbeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

# It beats every 30 s. Dagster itself waits for half an hour before it calls a daemon dead, too long for a person.
_TOLERATED = timedelta(minutes=2)
_DAEMONS = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")  # what a night needs


def last_heartbeat(instance: DagsterInstance) -> datetime | None:
    """The oldest last heartbeat of the daemons that a night needs; None where one of them has never lived."""
    beats = instance.get_daemon_heartbeats()
    found = [beats[name].timestamp for name in _DAEMONS if name in beats]
    return datetime.fromtimestamp(min(found), UTC) if len(found) == len(_DAEMONS) else None


def lives(instance: DagsterInstance) -> bool:
    last = last_heartbeat(instance)
    return last is not None and datetime.now(UTC) - last <= _TOLERATED
