"""When an evaluation is looked at, and how much error each look may spend.

Looks are planned from the number of documents alone. A schedule that reacted to the answers would void the error rates.
"""

from __future__ import annotations

from collections.abc import Sequence

LEVEL = 0.05  # of claims that two models differ, both directions together
EQUIVALENCE_LEVEL = 0.10  # of the interval that shows equivalence: two one-sided tests at 5 %

_FIRST = 32  # documents; boundaries for fewer are so wide that hardly anything is decided there
_TASK_GROWTH = 1.25
_SUITE_GROWTH = 1.4  # a suite's look takes a chunk of every task
_WIDTH_STEP = 32
_LAST_STEP = 1.08  # a look with less than this left to ask would repeat the one at the end


def of_task(total: int) -> tuple[int, ...]:
    """Documents asked at each look of a task of `total`: 32, 40, 50, … and all."""
    return _rising(total, _TASK_GROWTH)


def of_suite(totals: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Documents asked of each of a suite's tasks at each look: as many of each, at most all that a task has."""
    return tuple(tuple(min(asked, total) for total in totals) for asked in _rising(max(totals), _SUITE_GROWTH))


def of_width(total: int) -> tuple[int, ...]:
    """Documents asked at each look where the full run's score is to be known to a width: every 32, and all."""
    return (*range(_WIDTH_STEP, total, _WIDTH_STEP), total)


def spending(shares: Sequence[float], level: float) -> tuple[float, ...]:
    """Error spent by each look, in proportion to its share of the information.

    Lan and DeMets 1983, Discrete sequential boundaries for clinical trials, Biometrika 70(3), 659-663: their third
    spending function.
    """
    return tuple(level * share for share in shares)


def _rising(total: int, growth: float) -> tuple[int, ...]:
    counts, asked = [], _FIRST
    while asked < total / _LAST_STEP:
        counts.append(asked)
        asked = round(asked * growth)
    return (*counts, total)
