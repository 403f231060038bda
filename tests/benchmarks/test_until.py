"""The comparison of `until: decided` with asking everything, on landings whose figures are known."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from benchmarks.until import Landed, compared, landed
from evaluators.landing import bundles
from evaluators.records import Sample, TaskEmission, TaskResult
from evaluators.spec import Spent
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import into_parts, land_stop

TOTAL = 100
REFERENCE = [True] * 60 + [False] * 40
MUCH_WORSE = [False] * 20 + [True] * 40 + [False] * 40
ALIKE = [True] * 59 + [False] + [True] + [False] * 39


def _run(landing: Path, model: str, mc: list[bool], gen: list[bool]) -> BuiltRun:
    tasks = (("mc", mc, 0.25), ("gen", gen, 0.0))
    return BuiltRun(
        landing, model, [TaskOutcome(task, correct, 1000.0, chance=chance) for task, correct, chance in tasks]
    )


def _landed(folder: Path, weights: dict[str, float] | None = None) -> tuple[Landed, Landed, Landed]:
    """The reference, another model asked everything, and the same asked in chunks, 20 documents of one task and 50 of
    the other: task by task or, with weights, as a suite."""
    reference = _run(folder / "full", "base", REFERENCE, REFERENCE)
    whole = dataclasses.replace(_run(folder / "full", "tuned", MUCH_WORSE, ALIKE), at=START.replace(hour=5))
    part = dataclasses.replace(whole, landing=folder / "until")
    run_id = part.land()
    parts = [into_parts(part.landing, run_id, "mc", [8, 20]), into_parts(part.landing, run_id, "gen", [50])]
    if weights is None:
        for each in parts:
            land_stop(part.landing, run_id, [each], stop_reason="given_up", verdict="no_difference_shown")
    else:
        land_stop(part.landing, run_id, parts, weights)
    first, second = (landed(run.landing, run.land()) for run in (reference, whole))
    return first, second, landed(part.landing, run_id)


def test_each_task_is_compared_with_asking_everything(tmp_path: Path) -> None:
    # (-20 of 100 documents, and none) / 102, as Bonett and Price have it; -7.5: the middle of the landed interval
    found = ("given up", "-7.5", "no difference shown")
    assert compared("tuned", *_landed(tmp_path)) == [
        ("tuned", "gen", "100", "0.50", "0.50", "0.50", *found, "0.0", "no difference shown"),
        ("tuned", "mc", "100", "0.20", "0.20", "0.20", *found, "-19.6", "worse"),
    ]


def test_a_suite_is_compared_as_a_whole(tmp_path: Path) -> None:
    reference, whole, part = _landed(tmp_path, {"mc": 3.0, "gen": 1.0})
    (suite,) = [stop for stop in part.stops if not stop.task]
    part.stops[:] = [suite]
    part.stops.append(dataclasses.replace(suite, task="mc", documents_asked=20, documents_total=TOTAL, verdict=None))
    of_suite, of_task = compared("tuned", reference, whole, part)
    # of 200 documents; 3/4 of -20 points, from chance to everything right
    assert of_suite[1:6] == ("all of tiny", "200", "0.35", "0.35", "0.35")
    assert of_suite[-2:] == ("-20.0", "worse")
    assert of_task[1:6] == ("mc", "100", "0.20", "0.20", "0.20")
    assert of_task[-3:] == ("not decided yet", "-19.6", "worse")


def test_what_was_asked_to_the_end_counts_its_parts_once(tmp_path: Path) -> None:
    run = _run(tmp_path, "tuned", ALIKE, ALIKE)
    run_id = run.land()
    bundle = bundles.bundle_at(tmp_path / run_id / bundles.task_bundle(run.fingerprint("mc"), 1))
    rows = [*bundles.rows(bundle, TaskResult), *bundles.rows(bundle, Sample)]
    sums = [dataclasses.replace(window, is_sum_of_parts=True) for window in bundles.rows(bundle, TaskEmission)]
    into_parts(tmp_path, run_id, "mc", [40, TOTAL])
    bundles.write_bundle(tmp_path, run_id, bundle.name, [*rows, *sums])
    found = landed(tmp_path, run_id)
    assert found.used["mc"].duration_s == pytest.approx(sum(window.duration_s for window in sums))
    assert found.used.keys() == {"mc", "gen"}, "idle, load and warm-up are no task's"


def test_an_unknown_energy_has_no_ratio(tmp_path: Path) -> None:
    reference, whole, part = _landed(tmp_path)
    part.used["mc"] = Spent(part.used["mc"].duration_s, None)
    whole.used["gen"] = Spent(whole.used["gen"].duration_s, None)
    rows = compared("tuned", reference, whole, part)
    assert [row[4:6] for row in rows] == [("unknown", "0.50"), ("unknown", "0.20")]


def test_a_task_that_was_never_looked_at_is_no_comparison(tmp_path: Path) -> None:
    reference, whole, part = _landed(tmp_path)
    del part.stops[0]
    with pytest.raises(SystemExit, match=re.escape("tuned: asked in full without a look: ")):
        compared("tuned", reference, whole, part)
