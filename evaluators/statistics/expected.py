"""How much will be asked until it is decided, for plans, which are made before anything is asked.

Averages: a single evaluation may end at its first look, or ask everything.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.statistics import looks, widths

# Shares of a task's documents, with a margin of 2 points and 15 % of the pairs discordant, for these true differences
# in points. tests/evaluators/test_error_rates.py draws them.
DIFFERENCES = (0.0, 3.0, 10.0)
DRAWN = {200: (0.66, 0.71, 0.55), 541: (0.62, 0.72, 0.26), 1319: (0.63, 0.66, 0.12)}
_ALL_AT_ONCE = 34  # documents; up to here the first look is the last


@dataclass(frozen=True, slots=True)
class Expected:
    """A share of a task's documents: `least` where the difference is large, `most` where it is hard to tell."""

    least: float
    most: float


def of_task(total: int) -> Expected:
    """Until it is decided which of two models is better in a task of `total` documents."""
    return _of_information(total)


def of_suite(totals: Sequence[int], weights: Sequence[float]) -> tuple[Expected, ...]:
    """Until it is decided which of two models is better in a suite: of each of its tasks.

    The suite's difference is as well known as that of one task with so many documents that both have the same variance,
    and what is asked of it is the part with the same share of that information.
    """
    all_weights = sum(weights)

    def information(asked: int) -> float:
        """With so many documents of each task, at most all that it has."""
        return 1 / sum((w / all_weights) ** 2 / min(asked, total) for w, total in zip(weights, totals, strict=True))

    whole = information(max(totals))
    share = _of_information(whole)
    counts = range(1, max(totals) + 1)
    least, most = (
        counts[bisect_left(counts, end * whole, hi=len(counts) - 1, key=information)]
        for end in (share.least, share.most)
    )
    return tuple(Expected(min(least, total) / total, min(most, total) / total) for total in totals)


def of_width(total: int, points: float) -> Expected:
    """Until the full run's score is known to a width, without a reference: most where half of the answers are right."""
    for asked in looks.of_width(total):
        if widths.of_score(widths.Part(total, asked, asked // 2)).half_width <= points:
            return Expected(asked / total, asked / total)
    return Expected(1.0, 1.0)


def _of_information(documents: float) -> Expected:
    """Between the sizes that were drawn, by the logarithm of the number; above the largest as there, which is more than
    is asked then."""
    sizes = {_ALL_AT_ONCE: (1.0,) * len(DIFFERENCES), **DRAWN}
    found = [
        _interpolated({size: shares[number] for size, shares in sizes.items()}, documents)
        for number in range(len(DIFFERENCES))
    ]
    return Expected(min(found), max(found))


def _interpolated(shares: dict[int, float], documents: float) -> float:
    sizes = sorted(shares)
    if documents <= sizes[0] or documents >= sizes[-1]:
        return shares[sizes[0] if documents <= sizes[0] else sizes[-1]]
    above = next(size for size in sizes if size >= documents)
    below = sizes[sizes.index(above) - 1]
    part = math.log(documents / below) / math.log(above / below)
    return shares[below] + part * (shares[above] - shares[below])
