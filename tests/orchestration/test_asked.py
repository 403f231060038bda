"""What was asked in part: on the page, at the end of `evalwatt run`, and nowhere else; by hand, then from a landing."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli import results
from orchestration.nights.report import asked_lines
from orchestration.report import asked, page, queries, sections
from orchestration.report.queries import Answer
from tests.support.stopped_night import StoppedNight

PART = {
    "scope": "task",
    "comparability_key": "machine=m1 | suite=mini | asked=part",
    "model": "tuned",
    "reference": "base",
    "suite": "mini",
    "task": "mc",
    "is_complete": False,
    "documents_asked": 132,
    "documents_total": 1319,
    "stop_reason": "claim",
    "score_points": 40.0,
    "score_points_low": 36.0,
    "score_points_high": 44.0,
    "full_score_low": None,
    "full_score_high": None,
    "score_test": "repeated_mcnemar",
    "score_verdict": "worse",
    "score_p_adjusted": 0.0123,
    "score_delta": -7.5,
    "score_delta_low": -12.0,
    "score_delta_high": -3.0,
    "score_interval_reason": None,
    "full_delta_low": -10.0,
    "full_delta_high": 4.0,
    "joules_saved": 12345.6,
    "joules_saved_method": "by documents",
}
NOT_COMPARED = dict.fromkeys(name for name in PART if "delta" in name or name.startswith("score_v")) | {
    "reference": None,
    "stop_reason": "width",
    "score_p_adjusted": None,
    "score_test": None,
    "full_score_low": 37.0,
    "full_score_high": 41.0,
}


def answers(*changes: dict[str, Any]) -> dict[str, Answer]:
    """A page's answers in which nothing but these questions is known."""
    rows = tuple(tuple((PART | change).values()) for change in changes)
    nothing = {name: Answer(f"-- {name}", (), ()) for name in queries.NAMES}
    return nothing | {"asked": Answer("-- asked", tuple(PART), rows)}


def cells(change: dict[str, Any]) -> dict[str, str]:
    found = asked.table(answers(change))
    ((_, line),) = found.rows
    return {title: cell.text for (title, _), cell in zip(found.columns, line, strict=True)}


def test_how_much_was_asked_is_a_bar_with_its_counts() -> None:
    ((_, line),) = asked.table(answers({})).rows
    (bar,) = [cell for cell in line if cell.share is not None]
    assert (bar.text, bar.share) == ("132 of 1,319", 132 / 1319)
    text = page.render(answers({}))
    assert '<span class="share" aria-hidden="true"><span style="width: 10.0%"></span></span>132 of 1,319' in text


@pytest.mark.parametrize(
    ("change", "quality", "full_run"),
    [
        (
            {},
            "On such questions it scores 3.0 to 12.0 points less (95\u00a0%).",
            "With all 1,319 documents asked it would have between 10.0 points less and 4.0 points more (95\u00a0%).",
        ),
        (
            {"score_delta_low": 1.0, "score_delta_high": 7.0, "full_delta_low": 2.0, "full_delta_high": 6.0},
            "On such questions it scores 1.0 to 7.0 points more (95\u00a0%).",
            "With all 1,319 documents asked it would have 2.0 to 6.0 points more (95\u00a0%).",
        ),
        (
            {"is_complete": True, "stop_reason": "all", "full_delta_low": -4.0, "full_delta_high": -4.0},
            "On such questions it scores 3.0 to 12.0 points less (95\u00a0%).",
            "With all 1,319 documents asked it has 4.0 points less.",
        ),
        (
            {"scope": "suite", "task": "", "full_delta_low": None, "full_delta_high": None},
            "On such questions it scores 3.0 to 12.0 points less (95\u00a0%).",
            "",
        ),
        (
            NOT_COMPARED,
            "On such questions it scores 36.0 to 44.0 points (95\u00a0%).",
            "With all 1,319 documents asked it would have 37.0 to 41.0 points (95\u00a0%).",
        ),
        (
            {"score_delta_low": None, "score_interval_reason": "asked differently", "full_delta_low": None},
            "asked differently",
            "",
        ),
    ],
)
def test_every_interval_has_a_sentence_of_its_own(change: dict[str, Any], quality: str, full_run: str) -> None:
    """Quality and the full run's score are never in one."""
    shown = cells(change)
    assert shown["Such questions in general"] == quality
    assert shown["The full run"] == full_run


def test_the_verdict_says_how_sure_it_is_and_why_no_more_was_asked() -> None:
    assert cells({})["Score is"] == "worse (p = 0.0123)"
    assert cells({})["Stopped because"] == "decided"
    assert (
        cells(NOT_COMPARED)["Score is"] == cells(NOT_COMPARED | {"score_verdict": "undetermined"})["Score is"] == "40.0"
    )
    given_up = cells({"stop_reason": "given_up", "score_verdict": "no difference shown", "score_p_adjusted": None})
    assert given_up["Score is"] == "no difference shown"
    assert given_up["Stopped because"] == "the rest would show a difference with a chance below 10 %"
    assert cells({"stop_reason": None})["Stopped because"] == "interrupted; the rest is due"
    assert cells({"scope": "suite", "task": ""})["Task"] == "all of mini"


def test_an_early_claim_exaggerates_and_the_page_says_so() -> None:
    assert asked.EXAGGERATES in asked.notes(answers({}))
    assert "about 10 points" in asked.EXAGGERATES
    for reason in ("given_up", "width", "budget", "all"):
        assert asked.EXAGGERATES not in asked.notes(answers({"stop_reason": reason}))


def test_what_was_saved_is_an_estimate_with_its_method() -> None:
    whole = {"scope": "suite", "task": "", "joules_saved": 5.0}
    complete = {"is_complete": True, "joules_saved": 0.0, "joules_saved_method": "nothing"}
    (_, saved) = asked.notes(answers({}, {"task": "gen", "joules_saved": 654.4}, whole, complete))
    assert saved == "Stopping early saved about 13,000\u00a0J. That is an estimate: by documents."
    (_, partly) = asked.notes(answers({}, {"task": "gen", "joules_saved": None, "joules_saved_method": None}))
    assert "about 12,300\u00a0J without 1 of 2 tasks. That" in partly
    assert asked.notes(answers({"joules_saved": None, "stop_reason": "budget"})) == ()
    assert cells({})["Energy saved, estimate"] == "12,300\u00a0J"
    assert cells({"joules_saved": None})["Energy saved, estimate"] == "not known"
    assert cells(complete)["Energy saved, estimate"] == ""


def test_without_a_question_that_was_looked_at_there_is_no_section_and_no_row() -> None:
    text, shown = page.render(answers()), page.render(answers({}))
    assert "asked" not in [section.id for section in sections.sections(answers())]
    assert '"asked":{"n"' not in text
    assert "How much was asked" not in text
    assert '"asked":{"n":1' in shown
    assert "How much was asked" in shown


def test_a_model_that_was_asked_in_part_is_neither_missing_nor_alone() -> None:
    """The other sections do not have it, and say nothing that would be wrong of it."""

    for changes, words in (
        ([], sections.NO_OWN),
        ([{"is_complete": True}], sections.NO_OWN),
        ([{}], sections.ONLY_PARTS),
    ):
        frontier, *_ = sections.sections(answers(*changes))
        assert [note for note in frontier.notes if note in (sections.NO_OWN, sections.ONLY_PARTS)] == [words]
    model = {"comparability_key": "machine=m1", "basis": "measured", "headline_rank": 1, "model": "base"}
    alone = Answer("-- own", tuple(model), (tuple(model.values()),))
    for there, notes in ((False, 2), (True, 0)):
        given = answers(*[{}] * there) | {"own_models": alone}
        frontier, finetunes, *_ = sections.sections(given)
        told = [*frontier.notes, *finetunes.notes]
        assert sum("Only one model" in note or "can be compared with its base" in note for note in told) == notes


def test_run_and_message_name_what_was_asked_in_part(stopped_night: StoppedNight) -> None:
    home, runs = stopped_night
    shown = io.StringIO()
    results.show_published(home, Console(file=shown, width=250), None)
    compared, _, parts = shown.getvalue().partition("asked in part")
    assert not re.search(r"tuned\s+base\s+whole", compared)
    for line in (
        r"lone\s+mc\s+96 of 200\s+\d+\.\d\s+the score is known well enough",
        r"tuned\s+long\s+32 of 200\s+\d+\.\d\s+interrupted; the rest is due",
        r"tuned\s+base\s+mc\s+80 of 200\s+worse \(p = 0\.0200\)\s+-\d+\.\d\s+-14\.0 to -2\.0\s+decided",
        r"tuned\s+base\s+all of whole\s+126 of 400\s+no difference shown \(p = 0\.700\)\s.*-9\.0 to \+8\.0\s+the rest",
    ):
        assert len(re.findall(line, parts)) == 1, line
    assert "200 of 200" not in parts
    assert [line.words for line in asked_lines(home, runs)] == [
        "tuned on mini: gen: no difference from base shown, 200 of 200 documents asked; "
        "mc: worse than base, 80 of 200 documents asked",
        "tuned on whole: no difference from base shown, 126 of 400 documents asked, and the rest would show one with a "
        "chance below 10 %",
        "lone on wide: mc: known to ±4 points, 96 of 200 documents asked",
    ]
