"""What starts by itself, on a real instance: nights, backfills, retries, the deadline, a daemon that starts again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test

from orchestration.defs import automation
from orchestration.defs.resources import Paths
from orchestration.home import Home
from orchestration.instance.names import DEADLINE_TAG, EVALUATIONS, NIGHT_SIZE_TAG
from orchestration.instance.opening import open_instance
from orchestration.nights import groups
from tests.support.dagster_runs import end

CATALOGUE = """
settings: {{nightly_at: "03:30", time_zone: Europe/Berlin, deadline: 4h}}
suites: {{toy: {{description: toys, tasks: [toy_choice]}}}}
models:
  - {{name: base, source: path, path: base, family: f, provider: own, kind: pretrained, suites: [toy]}}
  - {{name: {second}, source: path, path: b, family: f, provider: own, kind: pretrained, suites: [toy]}}
"""
NIGHT = "2126-01-02T03:30:00+01:00"  # its deadline never passes
SOON = datetime.now(UTC) + timedelta(hours=4)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "catalogue.yml").write_text(CATALOGUE.format(second="other"))
    return Home(tmp_path / "data")


@pytest.fixture
def instance(home: Home) -> Iterator[DagsterInstance]:
    with open_instance(home) as instance:
        yield instance


@pytest.fixture
def paths(home: Home) -> Paths:
    return Paths(evalwatt_home=str(home.path), catalogue_file=str(home.path.parent / "catalogue.yml"))


def add_run(
    instance: DagsterInstance, model: str, status: DagsterRunStatus = DagsterRunStatus.STARTED, **tags: str
) -> dg.DagsterRun:
    named = {key.replace("__", "/"): value for key, value in tags.items()}
    run = create_run_for_test(instance, groups.EVALUATE_JOB, tags={"dagster/partition": model, **named})
    end(instance, run, status)
    return run


def add_night(instance: DagsterInstance, size: int = 2, deadline: datetime = SOON) -> list[dg.DagsterRun]:
    tags = groups.tags(NIGHT, size, deadline)
    return [
        create_run_for_test(instance, groups.EVALUATE_JOB, tags={"dagster/partition": f"m{i}", **tags})
        for i in range(size)
    ]


def crash(instance: DagsterInstance, run: dg.DagsterRun) -> None:
    """The run's worker died, and run monitoring noticed: Dagster marks the run to be retried."""
    instance.report_run_failed(run)


def tick(instance: DagsterInstance, cursor: str | None = None) -> tuple[list[str], str]:
    """One tick of the real sensor: the run keys that it asks for, and its cursor."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        answer = automation.refresh_after_evaluations(context)
        if isinstance(answer, dg.SensorResult):
            return [str(request.run_key) for request in answer.run_requests or []], str(answer.cursor)
        return [], str(context.cursor)


def test_a_night_ends_in_one_refresh_though_a_model_failed(instance: DagsterInstance) -> None:
    first, second = add_night(instance)
    assert tick(instance)[0] == []
    end(instance, first, DagsterRunStatus.FAILURE)
    assert tick(instance)[0] == []
    end(instance, second, DagsterRunStatus.SUCCESS)
    (key,), cursor = tick(instance)
    assert key == f"night {NIGHT} until {second.run_id}"
    # A daemon that starts again, with its cursor or without one, asks for nothing else.
    assert tick(instance, cursor)[0] in ([], [key])
    assert tick(instance, None)[0] == [key]


def test_a_canceled_run_has_ended(instance: DagsterInstance) -> None:
    for run in add_night(instance):
        end(instance, run, DagsterRunStatus.CANCELED)
    assert len(tick(instance)[0]) == 1


def test_a_night_waits_for_runs_that_are_not_queued_yet(instance: DagsterInstance) -> None:
    add_run(instance, "m0", DagsterRunStatus.SUCCESS, **groups.tags(NIGHT, 2, SOON))
    assert tick(instance)[0] == []


def test_the_deadline_refreshes_once_and_the_straggler_once_more(instance: DagsterInstance) -> None:
    deadline = datetime.now(UTC) + timedelta(minutes=30)
    first, second = add_night(instance, deadline=deadline)
    end(instance, first, DagsterRunStatus.SUCCESS)
    assert groups.look(instance, None, deadline - timedelta(minutes=1)).refreshes == []
    later = deadline + timedelta(minutes=1)
    looked = groups.look(instance, None, later)
    assert looked.refreshes == [f"night {NIGHT} at its deadline"]
    assert groups.look(instance, looked.cursor, later + timedelta(hours=1)).refreshes == looked.refreshes
    end(instance, second, DagsterRunStatus.SUCCESS)
    assert groups.look(instance, looked.cursor, later).refreshes == [f"night {NIGHT} until {second.run_id}"]


def test_what_waits_at_the_deadline_leaves_the_queue_and_one_refresh_follows(instance: DagsterInstance) -> None:
    tags = {**groups.tags(NIGHT, 2, datetime.now(UTC) - timedelta(minutes=1))}
    done = add_run(instance, "m0", DagsterRunStatus.SUCCESS, **tags)
    location = RegisteredCodeLocationOrigin("evalwatt")
    waits = create_run_for_test(
        instance,
        groups.EVALUATE_JOB,
        status=DagsterRunStatus.QUEUED,
        tags={**tags, "dagster/partition": "m1"},
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "evalwatt"), groups.EVALUATE_JOB),
    )
    keys, cursor = tick(instance)
    assert keys == []
    left = instance.get_run_by_id(waits.run_id)
    assert left is not None
    assert (left.status, left.tags["evalwatt/canceled"]) == (DagsterRunStatus.CANCELED, "deadline")
    (key,), cursor = tick(instance, cursor)
    assert key in {f"night {NIGHT} until {run.run_id}" for run in (done, waits)}
    assert tick(instance, cursor)[0] in ([], [key])


def test_a_reexecution_after_the_night_refreshes_again_and_only_at_its_end(instance: DagsterInstance) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=0.5)
    for run in add_night(instance, size=1, deadline=deadline):
        end(instance, run, DagsterRunStatus.FAILURE)
    (before,), cursor = tick(instance)
    time.sleep(0.5)
    tags = groups.tags(NIGHT, 1, deadline)
    again = add_run(instance, "m0", **tags, dagster__parent_run_id="x", dagster__root_run_id="x")
    assert tick(instance, cursor)[0] == []
    end(instance, again, DagsterRunStatus.SUCCESS)
    assert tick(instance, cursor)[0] == [f"night {NIGHT} until {again.run_id}"] != [before]


def test_a_run_that_will_be_retried_is_not_over(instance: DagsterInstance) -> None:
    run = add_run(instance, "base")
    crash(instance, run)
    assert tick(instance)[0] == []
    instance.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": "b"})
    retry = add_run(instance, "base", dagster__root_run_id=run.run_id, dagster__parent_run_id=run.run_id)
    assert tick(instance)[0] == []
    end(instance, retry, DagsterRunStatus.SUCCESS)
    assert tick(instance)[0] == [f"run {run.run_id} until {retry.run_id}"]


def test_a_retry_that_never_comes_does_not_hold_the_refresh_for_ever(instance: DagsterInstance) -> None:
    crash(instance, add_run(instance, "base"))
    assert groups.look(instance, None, datetime.now(UTC)).refreshes == []
    assert len(groups.look(instance, None, datetime.now(UTC) + timedelta(minutes=20)).refreshes) == 1


def test_manual_launches_refresh_one_by_one_and_foreground_runs_never(instance: DagsterInstance) -> None:
    run = add_run(instance, "base", DagsterRunStatus.SUCCESS)
    add_run(instance, "other", DagsterRunStatus.SUCCESS, evalwatt__foreground="true")
    create_run_for_test(instance, "refresh", status=DagsterRunStatus.SUCCESS)
    assert tick(instance)[0] == [f"run {run.run_id} until {run.run_id}"]


def test_what_dagsters_page_materializes_is_an_evaluation_by_its_assets(instance: DagsterInstance) -> None:
    assets = {"evaluates": EVALUATIONS, "does_not": "catalogue"}
    runs = {
        name: create_run_for_test(instance, "__ASSET_JOB", asset_selection=frozenset([dg.AssetKey(asset)]))
        for name, asset in assets.items()
    }
    for run in runs.values():
        end(instance, run, DagsterRunStatus.SUCCESS)
    evaluates = runs["evaluates"].run_id
    assert tick(instance)[0] == [f"run {evaluates} until {evaluates}"]


@pytest.mark.parametrize("status", [BulkActionStatus.COMPLETED_FAILED, BulkActionStatus.CANCELED])
def test_a_backfill_refreshes_once_at_its_own_end(instance: DagsterInstance, status: BulkActionStatus) -> None:
    backfill = PartitionBackfill(
        backfill_id="abc",
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={},
        backfill_timestamp=0.0,
        asset_selection=[dg.AssetKey(EVALUATIONS)],
    )
    instance.add_backfill(backfill)
    add_run(instance, "base", DagsterRunStatus.SUCCESS, dagster__backfill="abc")
    assert tick(instance)[0] == []
    last = add_run(instance, "other", DagsterRunStatus.FAILURE, dagster__backfill="abc")
    instance.update_backfill(backfill.with_status(status))
    assert tick(instance)[0] == [f"backfill abc until {last.run_id}"]


def test_the_schedule_plans_one_run_per_due_model(instance: DagsterInstance, paths: Paths) -> None:
    schedule = automation.nightly_schedule(paths.catalogue().settings)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 3 * * *", "Europe/Berlin")
    requests = evaluate_schedule(schedule, instance, paths)
    assert sorted(str(request.partition_key) for request in requests) == ["base", "other"]
    assert {request.tags[NIGHT_SIZE_TAG] for request in requests} == {"2"}
    assert {request.tags[DEADLINE_TAG] for request in requests} == {"2126-01-02T06:30:00+00:00"}
    assert set(instance.get_dynamic_partitions("models")) == {"base", "other"}


def test_a_night_without_anything_due_begins_with_the_control(instance: DagsterInstance, paths: Paths) -> None:
    file = Path(paths.catalogue_file)
    file.write_text(file.read_text().replace("deadline: 4h", "deadline: 4h, control: {model: other, suite: toy}"))
    schedule = automation.nightly_schedule(paths.catalogue().settings)
    requests = evaluate_schedule(schedule, instance, paths)
    assert [request.partition_key for request in requests] == ["other", "base"]
    configs = [request.run_config["ops"]["model_evaluations"]["config"] for request in requests]
    assert configs == [
        {"control": True, "order_seed": "1234/2126-01-02", "order_position": position} for position in (1, 2)
    ]
    priorities = [int(request.tags["dagster/priority"]) for request in requests]
    assert priorities == sorted(priorities, reverse=True)


def test_the_schedule_starts_nothing_that_still_runs(instance: DagsterInstance, paths: Paths) -> None:
    for model in ("base", "other"):
        add_run(instance, model)
    schedule = automation.nightly_schedule(paths.catalogue().settings)
    (skip,) = evaluate_schedule(schedule, instance, paths)
    assert isinstance(skip, dg.SkipReason)
    assert skip.skip_message == "nothing to start: base: already being evaluated; other: already being evaluated"


def test_the_schedule_begins_nothing_after_the_deadline(instance: DagsterInstance, paths: Paths) -> None:
    schedule = automation.nightly_schedule(paths.catalogue().settings)
    (skip,) = evaluate_schedule(schedule, instance, paths, at="2026-01-02T03:30:00+01:00")
    assert isinstance(skip, dg.SkipReason)
    assert skip.skip_message == "the daemon was not running before the night's deadline; what is due stays due"


def evaluate_schedule(
    schedule: dg.ScheduleDefinition, instance: DagsterInstance, paths: Paths, at: str = NIGHT
) -> list[dg.RunRequest]:
    # As a context manager: it opens an instance of its own, which only its end closes.
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.fromisoformat(at),
        resources={"paths": paths},
    ) as context:
        return list(schedule(context))


def test_a_changed_catalogue_is_read_once(instance: DagsterInstance, paths: Paths) -> None:
    def ask(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"paths": paths}) as context:
            return automation.catalogue_changed(context)

    first = ask(None)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(ask(first.cursor), dg.SkipReason)
    Path(paths.catalogue_file).write_text(CATALOGUE.format(second="third"))
    assert isinstance(ask(first.cursor), dg.SensorResult)
