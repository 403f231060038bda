"""Decisions about results: a run is left out and counts again; a machine's factor comes from one run and one figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evaluators.landing import bundles
from evaluators.landing.bundles import task_bundle
from evaluators.landing.decisions import DecisionRefused, calibrate, exclude, excluded_runs, include_again
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

TASK = TaskOutcome("mc", [True, False], 1000.0, duration_s=480.0)
METERED_KWH = (1000 + 100 + 200 + 100 + 50) / 3.6e6  # inference, idle, load, warm-up, scoring


@pytest.fixture
def run(tmp_path: Path) -> BuiltRun:
    return BuiltRun(tmp_path, "base", [TASK], duration_s=500.0)


def test_an_excluded_runs_tasks_are_not_done_until_that_is_taken_back(run: BuiltRun) -> None:
    first = run.land()
    second = dataclasses.replace(run, at=START + timedelta(hours=1)).land()
    bundle = task_bundle(run.fingerprint("mc"), 1)

    def done() -> dict[str, str]:
        return bundles.task_evaluations(run.landing, excluded_runs(run.landing))

    assert done() == {bundle: second}
    exclude(run.landing, second, "the fan failed", "ann")
    assert excluded_runs(run.landing)[second].reason == "the fan failed"
    assert done() == {bundle: first}
    exclude(run.landing, first, "the fan failed", "ann")
    assert done() == {}
    include_again(run.landing, second, "the fan was fine", "bob")
    assert done() == {bundle: second}


def test_what_is_decided_already_is_refused_with_the_earlier_decision(run: BuiltRun) -> None:
    run_id = run.land()
    with pytest.raises(DecisionRefused, match="is not excluded"):
        include_again(run.landing, run_id, "why not", "ann")
    exclude(run.landing, run_id, "the fan failed", "ann")
    with pytest.raises(DecisionRefused, match="by ann: the fan failed; --undo"):
        exclude(run.landing, run_id, "again", "bob")
    with pytest.raises(DecisionRefused, match=f"there is no run 'nothing'; the newest runs: {run_id}"):
        exclude(run.landing, "nothing", "typo", "ann")


def test_a_damaged_decision_is_left_to_the_loader(run: BuiltRun) -> None:
    run_id = run.land()
    exclude(run.landing, run_id, "the fan failed", "ann")
    (bundle,) = bundles.bundles(run.landing, "exclusions")
    bundle.files["exclusions"].write_bytes(b"")
    assert excluded_runs(run.landing) == {}


def test_the_factor_is_the_wall_over_all_windows_of_the_newest_completed_run(run: BuiltRun) -> None:
    run_id = run.land()
    dataclasses.replace(run, at=START + timedelta(hours=1), status="interrupted").land()
    stored = calibrate(run.landing, 1.25 * METERED_KWH, None, "ann")
    assert (stored.run_id, stored.machine_id, stored.meter, stored.boundary) == (run_id, "m1", "replay", "cpu+ram")
    assert stored.factor == pytest.approx(1.25)
    assert stored.metered_kwh == pytest.approx(METERED_KWH)
    assert stored.coverage == pytest.approx((480 + 10 + 5 + 2 + 2) / 500)


def _refused(run: BuiltRun) -> Iterator[tuple[BuiltRun, float, str]]:
    yield dataclasses.replace(run, duration_s=5000.0), METERED_KWH, "only 10% of .* longer run"
    yield dataclasses.replace(run, idle_w=None), METERED_KWH, "have no energy"
    yield dataclasses.replace(run, status="interrupted"), METERED_KWH, "is interrupted"
    yield run, 1000 * METERED_KWH, "the figure is in kWh"


@pytest.mark.parametrize("number", range(4))
def test_a_factor_that_would_say_nothing_is_refused(run: BuiltRun, number: int) -> None:
    changed, measured_kwh, words = list(_refused(run))[number]
    run_id = changed.land()
    with pytest.raises(DecisionRefused, match=words):
        calibrate(run.landing, measured_kwh, run_id, "ann")
    assert not (run.landing / "calibrations").exists()


@pytest.mark.parametrize(("flags", "refused"), [("too_short", False), ("foreign_load,too_short", True)])
def test_a_run_whose_energy_is_in_doubt_gives_no_factor(run: BuiltRun, flags: str, refused: bool) -> None:
    dataclasses.replace(run, outcomes=[dataclasses.replace(TASK, flags=flags)]).land()
    if not refused:
        assert calibrate(run.landing, 1.25 * METERED_KWH, None, "ann").factor == pytest.approx(1.25)
        return
    with pytest.raises(DecisionRefused, match="have the flags foreign_load; calibrate with a run without doubts"):
        calibrate(run.landing, 1.25 * METERED_KWH, None, "ann")
