"""What starts by itself: the night, the refresh after it, and reading the catalogue after a change.

Why a plain sensor requests the refresh: it must follow the *last* evaluation of a night, whether it succeeded or
not. A run-status sensor sees one run at a time and misses runs that never started, declarative automation waits for
failed runs, and a coordinating job would occupy a place in the queue while it waits for runs in the same queue. A
sensor does not wait: it looks, and requests the refresh once, under a run key that Dagster remembers across restarts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import dagster as dg

from evaluators.catalogue.entries import Settings
from evaluators.plan import in_order, plan
from orchestration.defs.evaluations import catalogue, model_evaluations, sync_partitions
from orchestration.defs.leaderboard import leaderboard_states
from orchestration.defs.resources import Paths
from orchestration.instance.names import DEADLINE, EVALUATIONS, REFRESH_OF_TAG
from orchestration.nights import groups
from orchestration.nights.cancellation import leave_the_queue
from orchestration.nights.schedule import NIGHTLY, cron

PRIORITY_TAG = "dagster/priority"

read_catalogue = dg.define_asset_job(
    "read_catalogue",
    dg.AssetSelection.assets(catalogue),
    description="Read the catalogue and make its models partitions.",
)
evaluate_model = dg.define_asset_job(
    groups.EVALUATE_JOB,
    dg.AssetSelection.assets(model_evaluations),
    description="Evaluate what is due for one model, the partition.",
)
refresh = dg.define_asset_job(
    groups.REFRESH_JOB,
    dg.AssetSelection.all() - dg.AssetSelection.assets(catalogue, model_evaluations, leaderboard_states),
    description="Load landed results, build and check the marts, publish them, and write the report.",
)


def nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The nightly schedule, at the time in the settings."""

    @dg.schedule(
        name=NIGHTLY,
        job=evaluate_model,
        cron_schedule=cron(settings.nightly_at),
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Evaluate what is due: one run for each model that is new, changed or stale.",
    )
    def nightly(context: dg.ScheduleEvaluationContext, paths: Paths) -> Iterator[dg.RunRequest | dg.SkipReason]:
        entries = paths.catalogue()
        sync_partitions(context.instance, entries)
        deadline = context.scheduled_execution_time + entries.settings.deadline
        if datetime.now(UTC) >= deadline:
            yield dg.SkipReason("the daemon was not running before the night's deadline; what is due stays due")
            return
        planned = plan(entries, paths.home.path, control=True, now=context.scheduled_execution_time.astimezone(UTC))
        running = groups.models_being_evaluated(context.instance)
        due = {run.model for run in planned if run.due and run.model not in running}
        models, seed = in_order(due, entries, context.scheduled_execution_time)
        if not models:
            words = [f"{model}: already being evaluated" for model in sorted(running)]
            words += [f"{run.model} on {run.suite}: {run.reason}" for run in planned if run.model not in running]
            yield dg.SkipReason("nothing to start: " + "; ".join(words))
            return
        night = context.scheduled_execution_time.isoformat()
        for position, model in enumerate(models, start=1):
            config = {"control": True, "order_seed": seed, "order_position": position}
            yield dg.RunRequest(
                run_key=f"{night} {model}",
                partition_key=model,
                run_config={"ops": {EVALUATIONS: {"config": config}}},
                # The queue follows this order as far as the pool allows.
                tags={**groups.tags(night, len(models), deadline), PRIORITY_TAG: str(-position)},
            )

    return nightly


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one refresh when the last evaluation of a night, a backfill or a manual launch has ended.",
)
def refresh_after_evaluations(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    seen = groups.look(context.instance, context.cursor, datetime.now(UTC))
    # Nothing starts after its night's deadline. Without these runs the night may be over, which the next look notices.
    leave_the_queue(context.instance, seen.late, DEADLINE)
    requests = [dg.RunRequest(run_key=key, tags={REFRESH_OF_TAG: key}) for key in seen.refreshes]
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=seen.cursor)
    context.update_cursor(seen.cursor)
    return dg.SkipReason("; ".join(seen.waiting) or "no evaluation has ended since the last look")


@dg.sensor(
    job=read_catalogue,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads the catalogue again when its file changes, so that its models exist as partitions.",
)
def catalogue_changed(context: dg.SensorEvaluationContext, paths: Paths) -> dg.SensorResult | dg.SkipReason:
    paths.catalogue()  # an invalid catalogue becomes this tick's error
    content = sha256(Path(paths.catalogue_file).read_bytes()).hexdigest()
    if content == context.cursor:
        return dg.SkipReason("the catalogue has not changed")
    return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=content)
