"""The comparison of `until: decided` with asking everything, on landings whose figures are known."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from benchmarks.until import Landed, compared, landed
from evaluators.landing import bundles
from evaluators.records import Sample, TaskEmission, TaskResult
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import into_parts, land_stop

TOTAL = 100
REFERENCE = [True] * 60 + [False] * 40
MUCH_WORSE = [False] * 20 + [True] * 40 + [False] * 40
ALIKE = [True] * 59 + [False] + [True] + [False] * 39


def _run(landing: Path, model: str, mc: list[bool], gen: list[bool], energy_j: float | None = 1000.0) -> BuiltRun:
    tasks = (("mc", mc, 0.25), ("gen", gen, 0.0))
    return BuiltRun(
        landing, model, [TaskOutcome(task, correct, energy_j, chance=by_guess) for task, correct, by_guess in tasks]
    )


def _asked(whole: BuiltRun, landing: Path, mc: int, gen: int, weights: dict[str, float] | None) -> Landed:
    """The same run, asked in chunks, and stopped: task by task or, with weights, as a suite."""
    run = dataclasses.replace(whole, landing=landing)
    run_id = run.land()
    parts = [into_parts(landing, run_id, "mc", [8, mc]), into_parts(landing, run_id, "gen", [gen])]
    if weights is None:
        for part in parts:
            land_stop(landing, run_id, [part], stop_reason="given_up", verdict="no_difference_shown")
    else:
        land_stop(landing, run_id, parts, weights)
    return landed(landing, run_id)


def test_each_task_is_compared_with_asking_everything(tmp_path: Path) -> None:
    reference = _run(tmp_path / "full", "base", REFERENCE, REFERENCE)
    whole = dataclasses.replace(_run(tmp_path / "full", "tuned", MUCH_WORSE, ALIKE), at=START.replace(hour=5))
    part = _asked(whole, tmp_path / "until", 20, 50, weights=None)
    rows = compared("tuned", *(landed(run.landing, run.land()) for run in (reference, whole)), part)
    # (-20 of 100 documents, and none) / 102, as Bonett and Price have it; -7.5: the middle of the landed interval
    found = ("given up", "-7.5", "no difference shown")
    assert rows == [
        ("tuned", "gen", "100", "0.50", "0.50", "0.50", *found, "0.0", "no difference shown"),
        ("tuned", "mc", "100", "0.20", "0.20", "0.20", *found, "-19.6", "worse"),
    ]


def test_a_suite_is_compared_as_a_whole(tmp_path: Path) -> None:
    reference = _run(tmp_path / "full", "base", REFERENCE, REFERENCE)
    whole = dataclasses.replace(_run(tmp_path / "full", "tuned", MUCH_WORSE, ALIKE), at=START.replace(hour=5))
    part = _asked(whole, tmp_path / "until", 20, 50, weights={"mc": 3.0, "gen": 1.0})
    (row,) = compared("tuned", *(landed(run.landing, run.land()) for run in (reference, whole)), part)
    # of 200 documents; 3/4 of -20 points, from chance to everything right
    assert row[1:6] == ("all of tiny", "200", "0.35", "0.35", "0.35")
    assert row[-2:] == ("-20.0", "worse")


def test_what_was_asked_to_the_end_counts_its_parts_once(tmp_path: Path) -> None:
    run = _run(tmp_path, "tuned", ALIKE, ALIKE)
    run_id = run.land()
    (bundle,) = (
        each for each in bundles.bundles(tmp_path, run_id) if each.name == bundles.task_bundle(run.fingerprint("mc"), 1)
    )
    rows = [*bundles.rows(bundle, TaskResult), *bundles.rows(bundle, Sample)]
    sums = [dataclasses.replace(window, is_sum_of_parts=True) for window in bundles.rows(bundle, TaskEmission)]
    into_parts(tmp_path, run_id, "mc", [40, TOTAL])
    bundles.write_bundle(tmp_path, run_id, bundle.name, [*rows, *sums])
    found = landed(tmp_path, run_id)
    assert (
        found.used["mc"].duration_s
        == pytest.approx(found.used["gen"].duration_s)
        == sum(each.duration_s for each in sums)
    )
    assert found.used.keys() == {"mc", "gen"}, "idle, load and warm-up are no task's"


def test_an_unknown_energy_has_no_ratio(tmp_path: Path) -> None:
    reference = _run(tmp_path / "full", "base", REFERENCE, REFERENCE)
    whole = dataclasses.replace(_run(tmp_path / "full", "tuned", ALIKE, ALIKE, energy_j=None), at=START.replace(hour=5))
    part = _asked(whole, tmp_path / "until", 20, 50, weights=None)
    rows = compared("tuned", *(landed(run.landing, run.land()) for run in (reference, whole)), part)
    assert [row[4:6] for row in rows] == [("unknown", "0.50"), ("unknown", "0.20")]


def test_a_task_that_was_never_looked_at_is_no_comparison(tmp_path: Path) -> None:
    reference = _run(tmp_path / "full", "base", REFERENCE, REFERENCE)
    whole = dataclasses.replace(_run(tmp_path / "full", "tuned", ALIKE, ALIKE), at=START.replace(hour=5))
    base, everything = (landed(run.landing, run.land()) for run in (reference, whole))
    with pytest.raises(SystemExit, match=re.escape("tuned: asked in full without a look: gen, mc")):
        compared("tuned", base, everything, everything)
