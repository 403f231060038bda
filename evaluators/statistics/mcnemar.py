"""The exact group-sequential McNemar test of one task: McNemar's test, looked at again and again.

Where two equally good models disagree, either is as likely to be right. Given how many documents were discordant by
each look, the net gain is then a symmetric random walk, whatever the documents are. Each look stops the walk at a
boundary and thereby spends some of the error; how much may be spent by then is planned, in proportion to the documents
asked. With a single look at all documents this is the exact McNemar test of the marts.

Sources: McNemar 1947, Psychometrika 12(2), 153-157; Lan and DeMets 1983, Biometrika 70(3), 659-663; Jennison and
Turnbull 2000, Group Sequential Methods, ch. 9 (repeated p values) and 12 (exact tests of binary data).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from evaluators.statistics.paired import Pairs

Floats = npt.NDArray[np.float64]

_ROUNDING = 1e-12  # levels that are this close, relatively, are one


def boundaries(discordant: Sequence[int], shares: Sequence[float], level: float) -> tuple[int, ...]:
    """The least net gain or loss at which each look stops.

    `discordant`: pairs on which the models disagree, by each look; `shares`: of the documents, asked by then. A
    boundary above the number of discordant pairs cannot be reached.
    """
    walk, found = _Walk(), []
    for pairs, share in zip(discordant, shares, strict=True):
        walk = walk.until(pairs)
        gap = int(np.argmax(walk.prices(share) <= level * (1 + _ROUNDING)))
        found.append(gap)
        walk = walk.stopped_at(gap)
    return tuple(found)


def repeated_p_value(looks: Sequence[Pairs], total: int) -> float:
    """The p value of a task with `total` documents, looked at so far as `looks` say.

    It is the least level such that a test at it, *and at every higher one*, would have stopped by now. Not the least
    level that would have: the test is discrete, so that a higher level may stop later. With this definition the values
    of successive looks never rise, and the chance that they ever fall to x or below is at most x if the models are
    equally good, for every x at once: the test at x would have stopped.

    Boundaries are the same for all levels between two prices (see `_Walk.prices`), so the levels fall into intervals,
    which split from look to look. They are visited downwards from 1, and the first one in which no look has stopped
    ends the search. That takes a millisecond for hundreds of documents, a second at worst for ten thousand.
    """
    shares = [look.asked / total for look in looks]

    def highest_unstopped(k: int, walk: _Walk, low: float, high: float) -> float | None:
        """Supremum of the levels in [low, high) at which neither look k nor a later one stops; None if there is none.

        At all of these levels the earlier looks have the same boundaries, and have not stopped.
        """
        walk = walk.until(looks[k].discordant)
        prices = walk.prices(shares[k])
        high = min(high, float(prices[abs(looks[k].net)]))  # from this level on, this look stops
        if k == len(looks) - 1:
            return high if _is_interval(low, high) else None
        while _is_interval(low, high):
            gap = int(np.argmax(prices < high))  # the boundary just below `high`
            next_high = max(low, float(prices[gap]))
            found = highest_unstopped(k + 1, walk.stopped_at(gap), next_high, high)
            if found is not None:
                return found
            high = next_high
        return None

    found = highest_unstopped(0, _Walk(), 0.0, 1.0)
    if found is None:
        raise AssertionError("no test at a level near 0 stops")
    return found


def _is_interval(low: float, high: float) -> bool:
    """Whether there are levels from `low` to below `high`. Prices that are equal may differ by rounding."""
    return high > low * (1 + _ROUNDING)


class _Walk:
    """The random walk of discordant pairs, as far as no look has stopped it."""

    def __init__(self, alive: Floats | None = None, spent: float = 0.0) -> None:
        self._alive = np.ones(1) if alive is None else alive  # probability by number of gained pairs
        self._spent = spent

    @property
    def _discordant(self) -> int:
        return len(self._alive) - 1

    def until(self, discordant: int) -> _Walk:
        """The walk once there are so many discordant pairs."""
        steps = discordant - self._discordant
        return _Walk(np.convolve(self._alive, _fair(steps)), self._spent) if steps else self

    def prices(self, share: float) -> Floats:
        """For each boundary 0, 1, … the least level that affords it at a look at this share of the documents.

        They fall as the boundary rises, and the last one, above the number of pairs, spends nothing.
        """
        reached = np.bincount(_gaps(self._discordant), self._alive, minlength=self._discordant + 2)
        return np.asarray((self._spent + reached[::-1].cumsum()[::-1]) / share)

    def stopped_at(self, gap: int) -> _Walk:
        """What goes on beyond a look that stops at a net gain or loss of `gap`."""
        stops = _gaps(self._discordant) >= gap
        return _Walk(np.where(stops, 0.0, self._alive), self._spent + float(self._alive[stops].sum()))


@lru_cache(maxsize=4096)
def _gaps(discordant: int) -> npt.NDArray[np.int64]:
    """Net gain or loss by number of gained pairs."""
    return np.abs(2 * np.arange(discordant + 1) - discordant)


@lru_cache(maxsize=4096)
def _fair(steps: int) -> Floats:
    """Probability of each number of gained pairs among so many."""
    return np.asarray(binom.pmf(np.arange(steps + 1), steps, 0.5))
