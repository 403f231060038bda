"""The nightly schedule as Dagster records it: when it ran, when it did not, and when it will.

Dagster's scheduler makes up for the last missed tick only, however late.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from evaluators.catalogue.entries import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from dagster._core.scheduler.instigation import InstigatorTick

NIGHTLY = "nightly"


def cron(at: str, hours_later: int = 0) -> str:
    """A daily schedule at a time of day, such as `02:30`."""
    hour, minute = map(int, at.split(":"))
    return f"{minute} {(hour + hours_later) % 24} * * *"


def ticks(instance: DagsterInstance, since: datetime | None = None) -> list[InstigatorTick]:
    """The schedule's ticks, oldest first; a tick's timestamp is its scheduled time."""
    from dagster._core.definitions.run_request import InstigatorType

    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    after = since.timestamp() if since is not None else None
    found = [
        tick
        for state in states
        if state.name == NIGHTLY
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, after=after)
    ]
    return sorted(found, key=lambda tick: tick.timestamp)


def missed_before(instance: DagsterInstance, settings: Settings, night: datetime) -> list[date]:
    """The days since the previous tick on which the schedule should have run but did not."""
    zone = ZoneInfo(settings.time_zone)
    earlier = [tick for tick in ticks(instance) if tick.timestamp < night.timestamp()]
    if not earlier:
        return []
    last, this = (at.astimezone(zone).date() for at in (datetime.fromtimestamp(earlier[-1].timestamp, UTC), night))
    return [last + timedelta(days=n) for n in range(1, (this - last).days)]


def next_tick(settings: Settings, now: datetime) -> datetime:
    """When the schedule runs next, in the settings' time zone, also across clock changes, as Dagster computes it."""
    from dagster._utils.schedules import schedule_execution_time_iterator

    return next(schedule_execution_time_iterator(now.timestamp(), cron(settings.nightly_at), settings.time_zone))
