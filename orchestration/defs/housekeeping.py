"""Housekeeping: a separate job, so that nothing depends on it, half a day away from the night."""

import dagster as dg

from evaluators.catalogue.entries import Settings
from orchestration.defs.resources import Paths
from orchestration.instance import housekeeping as library
from orchestration.nights.schedule import cron


@dg.op(description="Delete Dagster's history of runs older than the setting `keep_runs`.")
def old_runs(context: dg.OpExecutionContext, paths: Paths) -> None:
    keep = paths.catalogue().settings.keep_runs
    deleted = library.delete_old_runs(context.instance, paths.home, keep)
    context.log.info(f"deleted {len(deleted)} runs older than {keep}; their landed results stay")


@dg.job(description="Delete Dagster's history of old runs.")
def housekeeping() -> None:
    old_runs()


def daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The daily schedule, twelve hours after the night starts."""
    return dg.ScheduleDefinition(
        job=housekeeping,
        cron_schedule=cron(settings.nightly_at, hours_later=12),
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Delete Dagster's history of old runs.",
    )
