"""Better, worse, equivalent, given up, or not yet decided: what a look at a part of the answers shows.

All claims are about quality: the documents asked are a sample of such questions. They hold whenever one stops, be it
because of what the look shows, for want of time or by hand. Words are the marts' codes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtr

from evaluators.statistics import brownian, looks, mcnemar, paired
from evaluators.statistics.paired import Pairs

GIVEN_UP_BELOW = 0.10  # chance that the rest brings a claim

Verdict = Literal["better", "worse", "equivalent", "no_difference_shown"]
StopReason = Literal["claim", "given_up", "all"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference in points, its standard error, and the one that is expected once all documents are asked."""

    difference: float
    error: float
    final_error: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a look shows. `reason` is why nothing more need be asked; None: go on."""

    verdict: Verdict | None  # None: not decided yet
    reason: StopReason | None
    low: float | None  # repeated 95 % interval of the difference, in points; None where there is no estimate
    high: float | None
    chance: float | None  # that the rest brings a claim


def of_task(path: Sequence[Pairs], total: int, margin: float) -> Judgement:
    """What the last of the looks at a task of `total` documents shows. `margin`: points within which two models are
    equivalent."""
    shares = tuple(pairs.asked / total for pairs in path)
    planned = shares + tuple(asked / total for asked in looks.of_task(total) if asked > path[-1].asked)

    def is_shown() -> bool:
        """Whether the repeated p value shows a difference. It takes longer than the boundary, so that is asked first:
        the p value is never below a level that has not stopped."""
        bounds = mcnemar.boundaries([pairs.discordant for pairs in path], shares, looks.LEVEL)
        stopped = any(abs(pairs.net) >= bound for pairs, bound in zip(path, bounds, strict=True))
        return stopped and mcnemar.repeated_p_value(path, total) <= looks.LEVEL

    return _judged(task_estimate(path[-1], total), is_shown, len(path), planned, margin)


def of_suite(path: Sequence[Estimate | None], shares: Sequence[float], margin: float) -> Judgement:
    """What the last of the looks at a suite shows.

    `path`: `suites.estimate` at each look so far; `shares`: of the information, at all planned looks.
    """

    def is_shown() -> bool:
        """Whether the repeated p value shows a difference: boundaries fall as the level rises, so that it does if a
        look has reached its own."""
        return any(abs(z) >= bound for z, bound in zip(_deviations(path), _bounds(shares, looks.LEVEL), strict=False))

    return _judged(path[-1], is_shown, len(path), tuple(shares), margin)


def task_estimate(pairs: Pairs, total: int) -> Estimate:
    """A task's difference in points, with Bonett and Price's standard error (see `paired`)."""
    return Estimate(
        100 * paired.difference(pairs),
        100 * paired.standard_error(pairs),
        100 * math.sqrt(paired.document_variance(pairs) / (total + 2)),
    )


def suite_p_value(path: Sequence[Estimate | None], shares: Sequence[float]) -> float:
    """The repeated p value of a suite."""
    return brownian.repeated_p_value(_deviations(path), shares)


def chance_of_a_claim(estimate: Estimate, planned: Sequence[float], margin: float) -> float:
    """The predictive chance that all documents together bring a claim, from the part that was asked.

    The difference of all of them is distributed normally around that of the part, if nothing was known before
    (Spiegelhalter, Freedman and Blackburn 1986, Controlled Clinical Trials 7(1), 8-17). Looks before the end are left
    out, so it is a little low. Giving up by it is no claim, and the boundaries assume that it never happens: it costs
    some claims and cannot bring a wrong one (Jennison and Turnbull 2000, Group Sequential Methods, ch. 10).
    """
    deviation = math.sqrt(max(estimate.error**2 - estimate.final_error**2, 0.0))
    if deviation == 0:
        return 0.0
    shown = _bounds(planned, looks.LEVEL)[-1] * estimate.final_error
    inside = margin - _bounds(planned, looks.EQUIVALENCE_LEVEL)[-1] * estimate.final_error

    def below(difference: float) -> float:
        return float(ndtr((difference - estimate.difference) / deviation))

    if inside >= shown:
        return 1.0
    equivalent = below(inside) - below(-inside) if inside > 0 else 0.0
    return below(-shown) + 1 - below(shown) + equivalent


def _judged(
    estimate: Estimate | None, is_shown: Callable[[], bool], look: int, planned: tuple[float, ...], margin: float
) -> Judgement:
    """What look number `look` shows. `planned`: shares of the information at all looks; `is_shown`: whether there is
    a difference, whichever way."""
    is_last = look == len(planned)
    if estimate is None:
        return Judgement("no_difference_shown" if is_last else None, "all" if is_last else None, None, None, None)
    reach = _bounds(planned, looks.LEVEL)[look - 1] * estimate.error
    low, high = estimate.difference - reach, estimate.difference + reach
    inner_reach = _bounds(planned, looks.EQUIVALENCE_LEVEL)[look - 1] * estimate.error
    if abs(estimate.difference) + inner_reach < margin:
        return Judgement("equivalent", "claim", low, high, None)
    if is_shown():
        return Judgement("better" if estimate.difference > 0 else "worse", "claim", low, high, None)
    if is_last:
        return Judgement("no_difference_shown", "all", low, high, None)
    chance = chance_of_a_claim(estimate, planned, margin)
    if chance < GIVEN_UP_BELOW:
        return Judgement("no_difference_shown", "given_up", low, high, chance)
    return Judgement(None, None, low, high, chance)


def _bounds(shares: Sequence[float], level: float) -> tuple[float, ...]:
    return brownian.boundaries(tuple(shares), looks.spending(shares, level))


def _deviations(path: Sequence[Estimate | None]) -> list[float]:
    """Standardised differences; a look without an estimate shows nothing."""
    return [0.0 if estimate is None else estimate.difference / estimate.error for estimate in path]
