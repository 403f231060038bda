"""Fault 6: the whole host dies.

After the restart the zombie run is closed and its pool's slot is free. Dagster does neither by itself for runs
without a limit: it goes on counting the run among those in progress, and its pool stays taken.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunsFilter

from orchestration.instance.janitor import close_dead_runs
from orchestration.instance.names import DEVICE_POOL
from orchestration.instance.opening import open_instance
from tests.support.processes import python, wait_until
from tests.support.workplace import Workplace

EVALUATE = ("-m", "orchestration.cli", "evaluate", "tiny-base")


@pytest.fixture
def instance(held_workplace: Workplace) -> Iterator[DagsterInstance]:
    with open_instance(held_workplace.home) as instance:
        yield instance


def test_06_a_zombie_is_closed_at_boot_and_its_slot_is_free(
    held_workplace: Workplace, instance: DagsterInstance
) -> None:
    place, storage = held_workplace, instance.event_log_storage
    with python(*EVALUATE, cwd=place.path) as host:
        wait_until(lambda: place.held.exists() or host.process.poll() is not None, "an evaluation")
        (living,) = _evaluations(instance)
        assert close_dead_runs(instance, place.home) == [], "it lives"
        host.kill_all()
    # With slots counted by step instead of by run, which dagster.yaml may ask for, they are rows of the instance.
    assert storage.claim_concurrency_slot(DEVICE_POOL, living.run_id, "a step").is_claimed

    (zombie,) = _evaluations(instance)
    assert zombie.status == DagsterRunStatus.STARTED
    assert _is_blocked(instance, zombie)
    assert not storage.claim_concurrency_slot(DEVICE_POOL, "another run", "a step").is_claimed
    storage.free_concurrency_slots_for_run("another run")

    with python(
        "-m", "orchestration.instance", cwd=place.path, environment={"EVALWATT_HOME": str(place.home.path)}
    ) as boot:
        assert boot.end() == 0, boot.said
        assert f"closed Dagster's run {zombie.run_id}: its process is gone" in boot.said
    (closed,) = _evaluations(instance)
    assert closed.status == DagsterRunStatus.FAILURE
    assert not _is_blocked(instance, zombie)
    assert storage.claim_concurrency_slot(DEVICE_POOL, "another run", "a step").is_claimed

    assert not list((place.home.locks / "runs").iterdir())


def _evaluations(instance: DagsterInstance) -> list[DagsterRun]:
    return [run for run in instance.get_runs() if run.job_name == "evaluate_model"]


def _is_blocked(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether the queue would hold back a run like this one, as Dagster's daemon counts."""
    storage = instance.event_log_storage
    config = storage.get_pool_config()
    counter = GlobalOpConcurrencyLimitsCounter(
        instance,
        [run],
        instance.get_run_records(RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)),
        storage.get_concurrency_keys(),
        storage.get_pool_limits(),
        pool_granularity=config.pool_granularity,
    )
    return counter.is_blocked(run)
