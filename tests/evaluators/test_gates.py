"""A gate's decision, and what would decide it."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics import decided, gates, looks
from evaluators.statistics.decided import Estimate, Verdict
from evaluators.statistics.gates import EnergyRatio, EnergyVerdict, Outcome
from evaluators.statistics.paired import Pairs

MARGIN = 2.0
ENERGY_MARGIN = 1.1


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        ("better", "PASS"),
        ("equivalent", "PASS"),
        ("worse", "FAIL"),
        ("no_difference_shown", "INCONCLUSIVE"),
        (None, "INCONCLUSIVE"),
    ],
)
def test_a_score(verdict: Verdict | None, outcome: Outcome) -> None:
    assert gates.of_score(verdict) == outcome


@pytest.mark.parametrize("outcomes", [*itertools.product(("PASS", "FAIL", "INCONCLUSIVE"), repeat=2)], ids=str)
def test_all_together(outcomes: tuple[Outcome, ...]) -> None:
    worst = max(outcomes, key=("PASS", "INCONCLUSIVE", "FAIL").index)
    assert gates.of_all(*outcomes) == worst


def test_without_a_quantity_nothing_passes() -> None:
    assert gates.of_all() == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("energy", "verdict", "outcome"),
    [
        (EnergyRatio(1.01, 1e-5, 1e-4, 5), "equivalent", "PASS"),
        (EnergyRatio(0.7, 1e-4, 1e-3, 5), "less", "PASS"),
        (EnergyRatio(1.4, 1e-4, 1e-3, 5), "more", "FAIL"),
        (EnergyRatio(1.05, 1e-3, 1e-3, 5), "no_difference_shown", "INCONCLUSIVE"),
        (EnergyRatio(1.4, 1e-4, 1e-3, 2), "cannot_be_told", "INCONCLUSIVE"),
        (EnergyRatio(1.4, 1e-4, 1e-3, 5, is_complete=False), "cannot_be_told", "INCONCLUSIVE"),
    ],
)
def test_an_energy(energy: EnergyRatio, verdict: EnergyVerdict, outcome: Outcome) -> None:
    assert gates.energy_verdict(energy, ENERGY_MARGIN) == verdict
    assert gates.of_energy(verdict) == outcome


def test_an_energy_that_was_looked_at_again_and_again_needs_more() -> None:
    once = EnergyRatio(1.2, 3e-3, 1e-3, 5)
    assert gates.energy_verdict(once, ENERGY_MARGIN) == "more"
    looked_at = EnergyRatio(1.2, 3e-3, 1e-3, 5, is_until_precise=True)
    assert gates.energy_verdict(looked_at, ENERGY_MARGIN) == "no_difference_shown"


@pytest.mark.parametrize(
    ("estimate", "p_value", "questions", "verdict"),
    [
        (Estimate(-1.0, 0.5, 0.5), 0.03, 1, "equivalent"),  # worse by less than the margin passes
        (Estimate(-3.0, 1.0, 1.0), 0.03, 1, "worse"),
        (Estimate(-3.0, 1.0, 1.0), 0.03, 2, "no_difference_shown"),  # one of two may err by half as much
        (Estimate(3.0, 1.0, 1.0), 0.03, 2, "better"),  # what passes needs no part of the 5 %
        (Estimate(-3.0, 1.0, 1.0), 0.06, 1, "no_difference_shown"),
    ],
)
def test_a_score_that_was_looked_at_once(estimate: Estimate, p_value: float, questions: int, verdict: Verdict) -> None:
    assert gates.score_verdict(estimate, p_value, MARGIN, questions) == verdict


def test_one_of_several_energies_fails_later() -> None:
    energy = EnergyRatio(1.2, 2e-3, 1e-3, 5)
    assert gates.energy_verdict(energy, ENERGY_MARGIN) == "more"
    assert gates.energy_verdict(energy, ENERGY_MARGIN, questions=6) == "no_difference_shown"
    assert gates.energy_verdict(EnergyRatio(0.8, 2e-3, 1e-3, 5), ENERGY_MARGIN, questions=6) == "less"


@given(st.integers(32, 5000), st.floats(0, 0.4), st.floats(0, 0.4), st.sampled_from([0.5, 2.0, 5.0]))
def test_as_many_more_documents_of_the_kind_decide_a_score(
    asked: int, gained: float, lost: float, margin: float
) -> None:
    """And hardly fewer: with a question of that size, answered alike, there is a claim."""
    pairs = Pairs(asked, round(gained * asked), round(lost * asked))
    estimate = decided.task_estimate(pairs, asked)
    further = gates.further_documents(estimate, asked, margin)

    def claims(documents: int) -> bool:
        error = estimate.error * math.sqrt((asked + 2) / (documents + 2))
        shown = abs(estimate.difference) >= decided._single(looks.LEVEL) * error * (1 - 1e-9)
        inside = abs(estimate.difference) + decided._single(looks.EQUIVALENCE_LEVEL) * error <= margin * (1 + 1e-9)
        return shown or inside

    if further < 10**9:  # a difference that equals the margin takes for ever
        assert claims(asked + further)
        assert further == 0 or not claims(asked + further - 2)


def test_looking_costs_documents() -> None:
    estimate = Estimate(1.5, 1.2, 1.2)
    planned = tuple(asked / 541 for asked in looks.of_task(541))
    once, looked_at = (gates.further_documents(estimate, 541, MARGIN, shares) for shares in ((1.0,), planned))
    assert 0 < once < looked_at
    assert gates.further_information(estimate, MARGIN, planned) == pytest.approx(looked_at / 543, abs=2e-3)
    assert gates.further_information(Estimate(9.0, 1.2, 1.2), MARGIN) == 0


def test_as_many_more_repetitions_decide_an_energy() -> None:
    energy = EnergyRatio(1.15, 6e-3, 1e-3, 3)
    further = gates.further_repetitions(energy, ENERGY_MARGIN)
    assert further is not None
    assert further > 0
    for more, decides in ((further, True), (further - 1, False)):
        repetitions = 3 + more
        repeated = EnergyRatio(1.15, 6e-3 * 3 / repetitions, 1e-3, repetitions)
        assert (gates.energy_verdict(repeated, ENERGY_MARGIN) == "more") == decides


def test_repetitions_do_not_decide_what_the_documents_leave_open() -> None:
    assert gates.further_repetitions(EnergyRatio(1.05, 1e-4, 1e-2, 5), ENERGY_MARGIN) is None
    assert gates.further_repetitions(EnergyRatio(1.4, 1e-4, 1e-3, 5, is_complete=False), ENERGY_MARGIN) is None
