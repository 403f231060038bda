"""A gate's decision: whether a candidate passes, fails, or neither is shown, and how much more would decide it.

Each quantity is decided by itself, from its verdict, and then all together. Nothing that was not shown passes: whether
an inconclusive gate lets somebody through is for whoever asks to say. Exit codes are the command line's.

A gate with several questions fails if one of them does, so that each may err by a part of the 5 % only (Bonferroni). It
passes only if all do, which needs no such part (Berger 1982, Multiparameter hypothesis testing and acceptance sampling,
Technometrics 24(4), 295-300).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtri, stdtrit

from evaluators.statistics import brownian, looks
from evaluators.statistics.decided import Estimate, Verdict

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
EnergyVerdict = Literal["less", "more", "equivalent", "no_difference_shown", "cannot_be_told"]

FEWEST_REPETITIONS = 3  # as the macro fewest_repetitions has it
_MOST_FREEDOM = 30  # degrees of freedom, where the seed student_t ends
_MOST_REPETITIONS = 31


@dataclass(frozen=True, slots=True)
class EnergyRatio:
    """The candidate's energy per correct answer over the reference's.

    Both variances are of its logarithm: `energy_variance` from the mean of the repetitions, which more of them reduce,
    `documents_variance` from the documents that happen to be correct, which they do not.
    """

    ratio: float
    energy_variance: float
    documents_variance: float
    repetitions: int
    is_complete: bool = True  # all documents are asked, by both models
    is_until_precise: bool = False  # looked at after every repetition, see docs/measurement.md


def of_score(verdict: Verdict | None) -> Outcome:
    """Better and equivalent pass, worse fails. Equivalence takes precedence, so that a candidate which is shown to be
    worse by less than the margin passes."""
    if verdict in ("better", "equivalent"):
        return "PASS"
    return "FAIL" if verdict == "worse" else "INCONCLUSIVE"


def of_energy(verdict: EnergyVerdict) -> Outcome:
    """Less and equivalent pass, more fails."""
    if verdict in ("less", "equivalent"):
        return "PASS"
    return "FAIL" if verdict == "more" else "INCONCLUSIVE"


def of_all(*outcomes: Outcome) -> Outcome:
    """A gate fails if one of its quantities does, and passes only if all do."""
    if "FAIL" in outcomes:
        return "FAIL"
    return "INCONCLUSIVE" if "INCONCLUSIVE" in outcomes or not outcomes else "PASS"


def score_verdict(estimate: Estimate, p_value: float, margin: float, questions: int = 1) -> Verdict:
    """As the marts have it (`int_measured_deltas`), of a pair that was looked at once. The p value is that of the pair
    alone, so that the verdict does not depend on which other models a warehouse happens to hold."""
    if abs(estimate.difference) + float(ndtri(1 - looks.EQUIVALENCE_LEVEL / 2)) * estimate.error < margin:
        return "equivalent"
    return difference_shown(estimate.difference, p_value, questions)


def difference_shown(difference: float, p_value: float, questions: int = 1) -> Verdict:
    """Whether a p value shows a difference, and which; it may be a repeated one."""
    if difference > 0 and p_value <= looks.LEVEL:
        return "better"
    return "worse" if difference < 0 and p_value <= looks.LEVEL / questions else "no_difference_shown"


def energy_verdict(energy: EnergyRatio, margin: float, questions: int = 1) -> EnergyVerdict:
    """As the marts have it (`int_measured_deltas`). `margin`: the largest ratio that is equivalent, and its inverse the
    smallest. A part of a question, or too few repetitions, tells nothing."""
    if not energy.is_complete or energy.repetitions < FEWEST_REPETITIONS:
        return "cannot_be_told"
    error = math.sqrt(energy.energy_variance + energy.documents_variance)
    tail, inner_tail = (0.01, 0.025) if energy.is_until_precise else (0.025, 0.05)
    logarithm = math.log(energy.ratio)

    def reach(tail: float) -> float:
        return student_quantile(energy.repetitions, 1 - tail) * error

    if abs(logarithm) + reach(inner_tail) < math.log(margin):
        return "equivalent"
    if logarithm + reach(tail) < 0:
        return "less"
    return "more" if logarithm - reach(tail / questions) > 0 else "no_difference_shown"


def student_quantile(repetitions: int, quantile: float) -> float:
    """Of the mean of so many repetitions."""
    return float(stdtrit(min(repetitions - 1, _MOST_FREEDOM), quantile))


def further_documents(estimate: Estimate, asked: int, margin: float, planned: tuple[float, ...] = (1.0,)) -> int:
    """How many more documents would decide a task's score, if the difference stays as it is: a guide, for the next
    documents may show another difference. It can be more than the question has.

    `planned`: the looks as shares of all documents, whose last boundary decides; a question that was never looked at
    has one.
    """
    return max(0, math.ceil((asked + 2) * _needed_information(estimate, margin, planned)) - 2 - asked)


def further_information(estimate: Estimate, margin: float, planned: tuple[float, ...] = (1.0,)) -> float:
    """The same of a suite, as a multiple of the documents of each task."""
    return max(0.0, _needed_information(estimate, margin, planned) - 1)


def further_repetitions(energy: EnergyRatio, margin: float, questions: int = 1) -> int | None:
    """How many more repetitions would decide the energy, if ratio and spread stay as they are. None where no number up
    to 31 would: more documents may, or the ratio is as good as the margin."""
    for repetitions in range(energy.repetitions, _MOST_REPETITIONS + 1):
        repeated = EnergyRatio(
            energy.ratio,
            energy.energy_variance * energy.repetitions / repetitions,
            energy.documents_variance,
            repetitions,
            energy.is_complete,
            energy.is_until_precise,
        )
        if energy_verdict(repeated, margin, questions) not in ("no_difference_shown", "cannot_be_told"):
            return repetitions - energy.repetitions
    return None


def _needed_information(estimate: Estimate, margin: float, planned: tuple[float, ...]) -> float:
    """The least multiple of the present information with a claim, of a difference or of equivalence."""
    shown, inside = (
        brownian.boundaries(planned, looks.spending(planned, level))[-1] * estimate.error
        for level in (looks.LEVEL, looks.EQUIVALENCE_LEVEL)
    )
    difference = abs(estimate.difference)
    of_difference = (shown / difference) ** 2 if difference else math.inf
    of_equivalence = (inside / (margin - difference)) ** 2 if difference < margin else math.inf
    return min(of_difference, of_equivalence)
