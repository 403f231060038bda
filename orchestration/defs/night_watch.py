"""One message per scheduled night, when its refresh has ended.

Why not Dagster's e-mail sensor or a run-status sensor: they report single runs with one outcome, so ten failed models
would be ten messages and a good night none, and a night that never started has no run. This sensor looks at the
schedule's own ticks, and at the result of each.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus  # not exported publicly

from evaluators.catalogue.entries import Settings
from orchestration.defs.resources import Paths
from orchestration.home import Home
from orchestration.instance.failures import innermost
from orchestration.instance.names import NIGHT_TAG
from orchestration.nights import groups, notification, schedule
from orchestration.nights.message import Line, Message
from orchestration.nights.report import report, schedule_lines, without_runs

_FIRST_LOOK, _LOOKS_BACK = timedelta(days=1), timedelta(days=7)
_REFRESH_GRACE = timedelta(hours=2)  # after the deadline; a refresh waits up to an hour for another one


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends one message per night when its refresh has ended: what succeeded, what did not, and what to do.",
)
def night_message(context: dg.SensorEvaluationContext, paths: Paths) -> dg.SkipReason:
    settings, now = paths.catalogue().settings, datetime.now(UTC)
    # The cursor is the time of the first look: earlier nights are not reported.
    first_look = datetime.fromisoformat(context.cursor) if context.cursor else now - _FIRST_LOOK
    context.update_cursor(first_look.isoformat())

    def log(text: str) -> None:
        context.log.info(text)
        print(text, file=sys.stderr, flush=True)

    headlines = []
    for message in undelivered(context.instance, paths.home, settings, max(first_look, now - _LOOKS_BACK), now):
        notification.deliver(paths.home, message, settings.notification, log)
        headlines.append(message.headline)
    return dg.SkipReason("; ".join(headlines) or "no night has ended since the last message")


def undelivered(
    instance: dg.DagsterInstance, home: Home, settings: Settings, since: datetime, now: datetime
) -> Iterator[Message]:
    """The messages of ended nights that have not been delivered, oldest first."""
    for tick in schedule.ticks(instance, since):
        night = datetime.fromtimestamp(tick.timestamp, UTC)
        if notification.was_delivered(home, night) or tick.status == TickStatus.STARTED:
            continue
        message = _message(instance, home, settings, tick, night, now)
        if message is not None:
            yield message


def _message(
    instance: dg.DagsterInstance, home: Home, settings: Settings, tick: InstigatorTick, night: datetime, now: datetime
) -> Message | None:
    begun = datetime.fromtimestamp(tick.end_timestamp or tick.timestamp, UTC)
    lines = schedule_lines(instance, settings, night, begun)
    if tick.status == TickStatus.SKIPPED:
        return without_runs(settings, night, [*lines, Line("not begun", tick.skip_reason or "no reason was given")])
    first = next(filter(None, map(instance.get_run_by_id, tick.run_ids)), None)
    if first is None or NIGHT_TAG not in first.tags:
        words = innermost(tick.error) if tick.error is not None else "its runs no longer exist"
        return without_runs(settings, night, [*lines, Line("not begun", words, "fix it, then `evalwatt run`")])
    name = first.tags[NIGHT_TAG]
    refresh = groups.refresh_of(instance, name, now)
    if refresh is None and now < night + settings.deadline + _REFRESH_GRACE:
        return None
    return report(instance, home, settings, name, refresh, further=lines)
