"""One message per night: which night, when, and what it says, from real runs and ticks of a real instance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import create_run_for_test
from dagster._utils.error import SerializableErrorInfo

from evaluators.energy import quality
from evaluators.landing import bundles, lifecycle
from evaluators.process.night_budget import REMEDY
from evaluators.summary import RunSummary, TaskSummary
from orchestration.definitions import build_defs
from orchestration.defs import night_watch
from orchestration.defs.freshness import every_night
from orchestration.defs.publication import publication_of
from orchestration.defs.raw_tables import raw_tables
from orchestration.defs.resources import Paths, RefreshLock, default_resources
from orchestration.home import Home
from orchestration.instance.names import CANCELED_TAG, DEADLINE, EVALUATIONS, REFRESH_OF_TAG, WAITED_TAG
from orchestration.instance.opening import open_instance
from orchestration.nights import groups, report
from orchestration.nights.message import last_kept
from orchestration.warehouse import load as warehouse
from orchestration.warehouse.publication import Publication
from tests.support.dagster_runs import end
from tests.support.landing_builder import BuiltRun
from tests.support.parts import InParts, land_stop
from tests.support.small_marts import NOTHING_METERED
from tests.support.stand_in import StandIn
from tests.support.tiny import model_entry, save_catalogue

NIGHT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
ORIGIN = RemoteInstigatorOrigin(
    repository_origin=RemoteRepositoryOrigin(
        code_location_origin=RegisteredCodeLocationOrigin("evalwatt"), repository_name="evalwatt"
    ),
    instigator_name="nightly",
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    models = [model_entry(name, name) for name in ("good", "weak")]
    models.append(model_entry("heavy", "heavy", budget={"time": "1h"}))
    catalogue = save_catalogue(tmp_path, tasks=["tiny_one"], models=models, deadline="4h")
    return Paths(evalwatt_home=str(tmp_path / "data"), catalogue_file=str(catalogue))


@pytest.fixture
def instance(paths: Paths) -> Iterator[DagsterInstance]:
    with open_instance(paths.home) as instance:
        yield instance


def tick(instance: DagsterInstance, at: datetime, status: TickStatus, **facts: object) -> None:
    """A tick of the nightly schedule, as the scheduler keeps it."""
    if not instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        state = InstigatorState(
            ORIGIN, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, ScheduleInstigatorData("0 2 * * *")
        )
        instance.add_instigator_state(state)
    values: dict[str, object] = {"end_timestamp": at.timestamp() + 2, "selector_id": ORIGIN.get_selector().get_id()}
    instance.create_tick(
        TickData(ORIGIN.get_id(), "nightly", InstigatorType.SCHEDULE, status, at.timestamp(), **(values | facts))  # type: ignore[arg-type]
    )


def look(instance: DagsterInstance, paths: Paths) -> str:
    """One tick of the real sensor: what it says that it did."""
    with dg.build_sensor_context(instance=instance, resources={"paths": paths}) as context:
        skipped = night_watch.night_message(context)
        assert isinstance(skipped, dg.SkipReason)
        return str(skipped.skip_message)


def text(home: Home) -> str:
    kept = last_kept(home)
    assert kept is not None
    return str(kept["text"])


def a_night(instance: DagsterInstance, paths: Paths) -> None:
    """A model is well, one fails, one has used its budget up, and one is late; as a scheduled night of four."""
    home, tags = paths.home, groups.tags(NIGHT.isoformat(), 4, NIGHT + timedelta(hours=4))
    taken = home.landing / bundles.new_run_id()
    lifecycle.open_run(home.landing, BuiltRun(home.landing, "heavy", (), suite="tiny").end_row(taken.name)).release()
    summary = RunSummary(taken.name, "heavy", "tiny", "interrupted", None, 7200.0, None, (), (), {})
    (taken / "summary.json").write_text(json.dumps(dataclasses.asdict(summary)))

    definitions = build_defs(paths, {"evaluator": StandIn()})
    assert definitions.resolve_job_def("read_catalogue").execute_in_process(instance=instance).success
    job = definitions.resolve_job_def("evaluate_model")
    ran = [
        job.execute_in_process(instance=instance, partition_key=model, raise_on_error=False, tags=tags).run_id
        for model in ("good", "weak", "heavy")
    ]
    late = create_run_for_test(
        instance, groups.EVALUATE_JOB, tags={**tags, "dagster/partition": "late", CANCELED_TAG: DEADLINE}
    )
    end(instance, late, DagsterRunStatus.CANCELED)
    tick(instance, NIGHT, TickStatus.SUCCESS, run_ids=[*ran, late.run_id])

    (good,) = instance.fetch_materializations(dg.AssetKey(EVALUATIONS), limit=1).records
    landed = home.landing / str(good.asset_materialization.metadata["run_ids"].value)
    landed.mkdir()
    windows = (
        task_summary("tiny_one", 20.0, flags=("stuck",)),
        task_summary("tiny_five", 20.0, flags=("foreign_load",), note="other programs took 47% (python3 46%)"),
        task_summary("tiny_two", 20.0),
        # too short alone, but repeated until they last a second together; and too short for that
        task_summary("tiny_three", 0.6, flags=("too_short",)),
        task_summary("tiny_three", 0.6, flags=("too_short",), repetition=2),
        task_summary("tiny_four", 0.01, flags=("too_short",)),
    )
    ended = RunSummary(landed.name, "good", "tiny", "completed", None, 60.0, None, windows, (), {})
    (landed / "summary.json").write_text(json.dumps(dataclasses.asdict(ended)))
    land_stop(home.landing, landed.name, [in_parts("tiny_five")])


def in_parts(task: str) -> InParts:
    return InParts("", task, bundles.task_bundle(task, 1), task, asked=40, total=200, whole=(), sums=())


def task_summary(task: str, duration_s: float, **changes: Any) -> TaskSummary:
    found = TaskSummary(task, "acc", 0.5, None, 6, duration_s, 0.001, "cpu modelled", 60, 12, None, None)
    return dataclasses.replace(found, **changes)


def a_short_night(instance: DagsterInstance) -> dg.DagsterRun:
    """One model, whose run crashed."""
    tags = groups.tags(NIGHT.isoformat(), 1, NIGHT + timedelta(hours=4))
    run = create_run_for_test(instance, groups.EVALUATE_JOB, tags={**tags, "dagster/partition": "weak"})
    end(instance, run, DagsterRunStatus.FAILURE)
    tick(instance, NIGHT, TickStatus.SUCCESS, run_ids=[run.run_id])
    return run


def refresh(instance: DagsterInstance, status: DagsterRunStatus, **tags: str) -> dg.DagsterRun:
    of = {REFRESH_OF_TAG: f"night {NIGHT.isoformat()} until x"}
    run = create_run_for_test(instance, groups.REFRESH_JOB, tags={**of, **tags})
    end(instance, run, status)
    return run


def test_a_night_is_told_of_once_when_its_refresh_has_ended(instance: DagsterInstance, paths: Paths) -> None:
    a_night(instance, paths)
    running = refresh(instance, DagsterRunStatus.STARTED, **{WAITED_TAG: "waited 3 min 20 s"})
    assert look(instance, paths) == "no night has ended since the last message"
    end(instance, running, DagsterRunStatus.FAILURE)
    night = f"Night of {NIGHT:%Y-%m-%d %H:%M} UTC"
    headline = f"{night}: 1 of 4 models succeeded, energies in doubt, nothing new was published"
    assert look(instance, paths) == headline
    refresh(instance, DagsterRunStatus.FAILURE)
    assert look(instance, paths) == "no night has ended since the last message"
    assert text(paths.home).splitlines() == [
        headline,
        "  failed      weak: tiny: no tokenizer; add one",
        "              -> fix it, then `evalwatt evaluate weak`, then `evalwatt build`",
        "  over budget heavy: tiny: not begun: over its time budget of 1 h 00 min by 1 h 00 min (2 h 00 min used): "
        + REMEDY,
        "              -> to continue before the next night: `evalwatt evaluate heavy`, then `evalwatt build`",
        "  not begun   late: the night's deadline came first",
        "              -> `evalwatt run` evaluates it now; otherwise it is due the next night",
        "  succeeded   good",
        "  asked       good on tiny: tiny_five: worse than base, 40 of 200 documents asked",
        "  in doubt    foreign_load: other programs took 47% (python3 46%) (good tiny_five)",
        "              -> `evalwatt evaluate good --force` while no other program runs, then `evalwatt build`",
        "  in doubt    stuck: a sensor did not change although the component was in use (good tiny_one)",
        "              -> `evalwatt doctor` shows what is metered here and how",
        f"  in doubt    too_short: {quality.MEANINGS['too_short']} (good tiny_four)",
        f"              -> {quality.REMEDIES['too_short']}",
        "  refresh     waited 3 min 20 s for another refresh of this EVALWATT_HOME",
        "              -> `evalwatt build`, when the other refresh has ended",
        f"  unpublished see Dagster's run {running.run_id}",
        "              -> fix the cause, then `evalwatt build`",
    ]


def test_what_was_asked_in_part_is_said_once_for_all_repetitions(tmp_path: Path) -> None:
    home, run_id = Home(tmp_path), bundles.new_run_id()
    tasks = [in_parts(f"task_{number}") for number in range(6)]
    given_up = {"stop_reason": "given_up", "verdict": "no_difference_shown"}
    land_stop(home.landing, run_id, tasks[:2], weights={"task_0": 1.0, "task_1": 1.0}, suite="whole", **given_up)
    for task in tasks:
        land_stop(home.landing, run_id, [task])
    again = dataclasses.replace(tasks[0], evaluation=bundles.task_bundle("task_0", 2), asked=50)
    land_stop(home.landing, run_id, [again], repetition=2)
    single, whole = report.asked_lines(home, [("tuned", run_id), ("base", bundles.new_run_id())])
    each = [f"task_{number}: worse than base, 40 of 200 documents asked" for number in range(4)]
    assert single.words == f"tuned on tiny: {'; '.join(each)}; and 2 more"
    assert whole.words == (
        "tuned on whole: no difference from base shown, 80 of 400 documents asked, and the rest would show one with a "
        "chance below 10 %"
    )
    assert single.remedy is whole.remedy is None


def test_a_night_that_no_refresh_follows_is_told_of_all_the_same(instance: DagsterInstance, paths: Paths) -> None:
    a_short_night(instance)

    def said(after: timedelta) -> list[str]:
        settings = paths.catalogue().settings
        found = night_watch.undelivered(instance, paths.home, settings, NIGHT - timedelta(hours=1), NIGHT + after)
        return [message.text() for message in found]

    assert said(timedelta(hours=5.9)) == []
    (message,) = said(timedelta(hours=6.1))
    assert "refresh     there was none: the sensor refresh_after_evaluations did not request it\n" in message
    assert message.endswith("-> `evalwatt build`")


def test_what_is_published_and_that_the_machine_drifted(
    instance: DagsterInstance, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, run_id = paths.home, bundles.new_run_id()
    home.current.mkdir(parents=True)
    with duckdb.connect(home.marts) as connection:
        connection.execute(NOTHING_METERED)
        connection.execute(
            "create table mart_emissions_history as select * from (values "
            f"(date '{bundles.run_time(run_id):%Y-%m-%d}', 'lab-1', 'm', 'drifted', '12 % more than before'), "
            "(date '2020-01-01', 'lab-2', 'm', 'drifted', 'long ago'), (current_date, 'lab-3', 'm', 'steady', ''))"
            " t(night, machine_id, model_key, control_flag, control_reason)"
        )

    @dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="a_mart")])
    def a_mart() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    version = Publication("b1", home.current, {"a_mart": 1}, datetime.now(UTC))
    monkeypatch.setattr("orchestration.warehouse.publication.publish", lambda *args, **options: version)
    published = dg.materialize(
        [a_mart, publication_of([dg.AssetKey("a_mart")], every_night(paths.catalogue().settings))],
        instance=instance,
        resources=default_resources(paths),
    )
    run = instance.get_run_by_id(published.run_id)
    assert run is not None
    ended = report.Refreshed(instance, run)
    assert ended.build_id == "b1"
    (line,) = ended.lines(home, [run_id])
    assert (line.topic, line.words) == ("control", "lab-1 drifted: 12 % more than before")


def test_a_night_with_nothing_to_do_says_so_and_which_nights_were_missed(
    instance: DagsterInstance, paths: Paths
) -> None:
    tick(instance, NIGHT - timedelta(days=4), TickStatus.SKIPPED)
    tick(instance, NIGHT, TickStatus.SKIPPED, skip_reason="nothing to start: good on tiny: all 1 tasks were evaluated")
    assert "nothing was evaluated" in look(instance, paths)
    days = ", ".join(f"{NIGHT - timedelta(days=n):%Y-%m-%d}" for n in (3, 2, 1))
    assert text(paths.home).splitlines()[1:] == [
        f"  missed      no night on {days}: the daemon was not running at 02:00; what was due stayed due",
        f"              -> {report.KEEP_IT_RUNNING}",
        "  not begun   nothing to start: good on tiny: all 1 tasks were evaluated",
    ]


def test_a_night_that_failed_to_begin_or_began_late_says_so(instance: DagsterInstance, paths: Paths) -> None:
    error = SerializableErrorInfo("catalogue.yml:3: models: unknown key\n", [], "CatalogueError")
    tick(instance, NIGHT, TickStatus.FAILURE, error=error, end_timestamp=NIGHT.timestamp() + 7200)
    look(instance, paths)
    said = text(paths.home)
    assert (
        "  late        the daemon was not running at 02:00; "
        f"it started at {NIGHT + timedelta(hours=2):%Y-%m-%d %H:%M}\n" in said
    )
    assert "  not begun   catalogue.yml:3: models: unknown key\n              -> fix it, then `evalwatt run`" in said


def test_what_was_before_the_first_look_nobody_waits_for(instance: DagsterInstance, paths: Paths) -> None:
    tick(instance, NIGHT - timedelta(days=2), TickStatus.SKIPPED)
    assert look(instance, paths) == "no night has ended since the last message"


def test_a_refresh_that_gave_up_waiting_is_marked(instance: DagsterInstance, paths: Paths) -> None:
    resources = default_resources(paths)
    resources["refresh_lock"] = RefreshLock(
        evalwatt_home=paths.evalwatt_home,
        run_lock=resources["run_lock"],  # type: ignore[arg-type]
        wait_s=0.1,
    )
    with warehouse.refresh_lock(paths.home):
        ended = dg.materialize([raw_tables], instance=instance, resources=resources, raise_on_error=False)
    run = instance.get_run_by_id(ended.run_id)
    assert run is not None
    assert run.tags[WAITED_TAG].startswith("gave up after 0.")
