"""Parts of evaluations in the landing: which places are asked, by which runs, and what is read of them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from evaluators.landing import bundles, parts, stops
from evaluators.landing.decisions import calibrate, exclude, excluded_runs
from evaluators.records import Stop, TaskEmission, columns
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import InParts, into_parts, land_stop

TASK = TaskOutcome("mc", [True, False] * 6, 1000.0, duration_s=480.0)


@pytest.fixture
def run(tmp_path: Path) -> BuiltRun:
    return BuiltRun(tmp_path, "base", [TASK], duration_s=500.0)


def asked(run: BuiltRun, *ends: int, later: int = 0) -> tuple[str, InParts]:
    """A run that asked these chunks, some hours after the first."""
    run_id = dataclasses.replace(run, at=START + timedelta(hours=later)).land()
    return run_id, into_parts(run.landing, run_id, "mc", ends)


def places(run: BuiltRun, evaluation: str) -> dict[int, str]:
    """Which run's answer counts at each place."""
    found = parts.landed(run.landing, excluded_runs(run.landing)).get(evaluation, ())
    return {place: part.run_id for place, part in parts.asked(found).items()}


def test_a_part_is_no_evaluation_and_its_name_shows_its_places(run: BuiltRun) -> None:
    run_id, part = asked(run, 4, 9)
    assert bundles.task_evaluations(run.landing) == {}
    names = [bundle.name for bundle in bundles.bundles(run.landing, run_id) if bundles.places_in(bundle.name)]
    assert names == [f"part-{part.evaluation}-0-3", f"part-{part.evaluation}-4-8"]
    assert bundles.places_in(names[1]) == (part.evaluation, range(4, 9))
    for name in (part.evaluation, bundles.failed_bundle(part.evaluation), f"part-{part.evaluation}", "setup"):
        assert bundles.places_in(name) is None
    assert bundles.question_in(bundles.stop_bundle(part.evaluation)) == part.evaluation
    assert bundles.question_in(names[0]) is None


def test_runs_continue_one_another_and_the_newest_answer_to_a_place_counts(run: BuiltRun) -> None:
    first, part = asked(run, 4)
    second, _ = asked(run, 4, 12, later=1)
    assert places(run, part.evaluation) == dict.fromkeys(range(12), second)
    exclude(run.landing, second, "the fan failed", "ann")
    assert places(run, part.evaluation) == dict.fromkeys(range(4), first)
    exclude(run.landing, first, "the fan failed", "ann")
    assert places(run, part.evaluation) == {}
    assert places(run, bundles.task_bundle("another", 1)) == {}


def test_withdrawn_answers_do_not_count(run: BuiltRun, monkeypatch: pytest.MonkeyPatch) -> None:
    first, part = asked(run, 4)
    second, _ = asked(run, 8, later=1)
    land_stop(run.landing, second, [part])
    monkeypatch.setattr(
        "evaluators.landing.withdrawn.withdrawal", lambda root, run_id: "wrong" if run_id == second else None
    )
    assert places(run, part.evaluation) == dict.fromkeys(range(4), first)
    assert stops.landed(run.landing) == {}


def test_what_is_read_has_one_answer_a_place_in_the_order_of_asking(run: BuiltRun) -> None:
    asked(run, 4)
    second, part = asked(run, 4, 9, later=1)
    found = parts.landed(run.landing)[part.evaluation]
    assert len(found) == 3
    answers = parts.read(found)
    assert [sample.place for sample in answers.samples] == list(range(9))
    assert {sample.run_id for sample in answers.samples} == {second}
    assert len({sample.document_id for sample in answers.samples}) == 9
    assert [(row.first_place, row.last_place, row.documents_total) for row in answers.parts] == [(0, 3, 12), (4, 8, 12)]
    energy_kwh = sum(window.energy_kwh or 0 for window in answers.emissions if window.phase == "inference")
    assert energy_kwh == pytest.approx(9 / 12 * 1000 / 3.6e6), "the energy of the answers that count, once"
    assert parts.documents_total(found) == 12
    assert parts.documents_total([]) is None


def test_a_damaged_part_counts_as_not_asked(run: BuiltRun) -> None:
    run_id, part = asked(run, 4, 9)
    found = parts.landed(run.landing)[part.evaluation]
    damaged = next(found[0].path.glob("part_samples.*"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert [sample.place for sample in parts.read(found).samples] == list(range(4, 9))
    (run.landing / run_id / bundles.stop_bundle(part.evaluation)).mkdir()
    assert stops.read(stops.landed(run.landing)[part.evaluation][0]) is None


def test_a_stop_is_read_as_it_was_landed_oldest_first(run: BuiltRun) -> None:
    (first, part), (second, _) = asked(run, 4), asked(run, 4, 9, later=1)
    landed = [land_stop(run.landing, run_id, [part], stop_reason="budget") for run_id in (first, second)]
    assert [stops.read(path) for path in stops.landed(run.landing)[part.evaluation]] == landed
    assert stops.asked_by_task(landed[0]) == {"mc": 4}
    assert list(stops.landed(run.landing, without={first})[part.evaluation]) == [
        run.landing / second / bundles.stop_bundle(part.evaluation)
    ]


def test_a_suites_question_is_its_evaluations_and_their_weights() -> None:
    question = bundles.suite_question({"a": 1.0, "b": 0.5})
    assert question == bundles.suite_question({"b": 0.5, "a": 1.0})
    assert question != bundles.suite_question({"a": 1.0, "b": 0.6})
    assert question != bundles.suite_question({"a": 1.0})


def test_a_run_is_calibrated_by_its_parts_and_not_by_their_sum_again(run: BuiltRun) -> None:
    run_id = run.land()
    (bundle,) = [bundle for bundle in bundles.bundles(run.landing, run_id) if bundles.is_task_bundle(bundle.name)]
    outcome = run.task_rows(run_id, TASK)
    into_parts(run.landing, run_id, "mc", (4, 12))
    summed = [
        dataclasses.replace(row, is_sum_of_parts=True) if isinstance(row, TaskEmission) else row for row in outcome
    ]
    bundles.write_bundle(run.landing, run_id, bundle.name, summed)
    metered_kwh = (1000 + 100 + 200 + 100 + 50) / 3.6e6
    stored = calibrate(run.landing, metered_kwh, run_id, "ann")
    assert stored.metered_kwh == pytest.approx(metered_kwh)
    assert stored.coverage == pytest.approx((480 + 10 + 5 + 2 + 2) / 500)


def verdict(**changes: object) -> Stop:
    values = dict.fromkeys(column.name for column in columns(Stop)) | {
        "until": "decided",
        "margin_points": 2.0,
        "reference_model_id": "base",
        "reference_json": '{"mc": {"evaluation": "e1", "run_id": "r1"}}',
        "stop_reason": "claim",
        "verdict": "worse",
        "documents_asked": 74,
        "documents_total": 1200,
    }
    return Stop(**values | changes)  # type: ignore[arg-type]


BASE = ("base", {"mc": "e1", "other": "e2"})


@pytest.mark.parametrize(
    ("stop", "width", "margin", "reference", "expected"),
    [
        (verdict(), None, 2.0, BASE, None),
        (verdict(stop_reason="given_up"), None, 2.0, BASE, None),
        (verdict(stop_reason="all"), None, 3.0, BASE, None),
        (verdict(stop_reason="budget", verdict=None), None, 2.0, BASE, "it was interrupted"),
        (verdict(), None, 1.0, BASE, "decided within 2 points, now within 1"),
        (verdict(), None, 2.0, ("other", {"mc": "e1"}), "it was compared with base"),
        (verdict(), None, 2.0, None, "it was compared with base"),
        (verdict(), None, 2.0, ("base", {"mc": "e9"}), "base has changed since"),
        (verdict(), None, 2.0, ("base", {}), "base has changed since"),
        (verdict(), 2.0, 2.0, BASE, "it was asked until it was decided"),
        (verdict(until="width", width_points=2.0), 2.0, 2.0, None, None),
        (verdict(until="width", width_points=2.0), 3.0, 2.0, None, None),
        (verdict(until="width", width_points=2.0), 1.5, 2.0, None, "known to ±2 points, now to ±1.5"),
        (verdict(until="width", width_points=2.0), None, 2.0, BASE, "it was asked until it was known to ±2 points"),
    ],
)
def test_a_stop_answers_what_is_not_stricter(
    stop: Stop, width: float | None, margin: float, reference: tuple[str, dict[str, str]] | None, expected: str | None
) -> None:
    found = stops.shortfall(stop, width, margin, reference)
    assert (found is None) == (expected is None)
    assert (expected or "") in (found or "")


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (verdict(), "worse than base, 74 of 1,200 documents asked"),
        (verdict(verdict="equivalent"), "equivalent to base within 2 points, 74 of 1,200 documents asked"),
        (
            verdict(verdict="no_difference_shown", stop_reason="given_up"),
            "no difference from base shown, 74 of 1,200 documents asked, and the rest would show one with a chance "
            "below 10 %",
        ),
        (
            verdict(verdict="no_difference_shown", stop_reason="all"),
            "no difference from base shown, 74 of 1,200 documents asked",
        ),
        (verdict(verdict=None, stop_reason="budget"), "not decided yet, 74 of 1,200 documents asked"),
        (
            verdict(verdict=None, stop_reason="all"),
            "no verdict against base, because a task is at or below chance, 74 of 1,200 documents asked",
        ),
        (verdict(until="width", width_points=2.0, verdict=None), "known to ±2 points, 74 of 1,200 documents asked"),
    ],
)
def test_a_finding_in_words(stop: Stop, words: str) -> None:
    assert stops.finding(stop) == words
