"""The full run's own score from a part of its documents, to a width.

The N documents of the task are all there are, and they are asked in an order that is as good as random. The interval
shrinks to nothing at N, and says nothing about other questions of the kind: those are the concern of `decided`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Of the normal distribution; above the 1.96 of a single look, which pays for looking every 32 documents. The tests
# enumerate what the intervals then cover.
DEVIATION = 2.05
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Part:
    """Answers to some documents of a whole. `found` of those `asked` have what is counted."""

    total: int
    asked: int
    found: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a count of the full run lies, of `total` documents: whole documents, both ends included."""

    low: int
    high: int
    total: int

    @property
    def half_width(self) -> float:
        """In points."""
        return 50 * (self.high - self.low) / self.total


def of_score(correct: Part) -> Interval:
    """How many documents the full run answers correctly."""
    low, high = _wilson(correct)
    return _whole(low * correct.total, high * correct.total, correct.total, correct.found, _unasked(correct))


def of_difference(gained: Part, lost: Part) -> Interval:
    """By how many correct answers the full run exceeds that of a complete reference; negative where it falls short.

    `gained` is counted among the documents that the reference answers wrongly, `lost` among those that it answers
    correctly: two strata, in each of which a sibling of the reference answers most documents alike. Their intervals are
    combined by MOVER: Newcombe 1998, Statistics in Medicine 17(8), 873-890; Zou and Donner 2008, Statistics in Medicine
    27(10), 1693-1702.
    """
    middle = low = high = 0.0
    for part, sign in ((gained, 1), (lost, -1)):
        share = part.found / part.asked if part.asked else 0.5
        below, above = (part.total * abs(end - share) for end in _wilson(part))
        middle += sign * part.total * share
        low += (below if sign > 0 else above) ** 2
        high += (above if sign > 0 else below) ** 2
    return _whole(
        middle - math.sqrt(low),
        middle + math.sqrt(high),
        gained.total + lost.total,
        gained.found - lost.found - _unasked(lost),
        _unasked(lost) + _unasked(gained),
    )


def _wilson(part: Part) -> tuple[float, float]:
    """The share of the whole.

    Wilson 1927, J. Am. Stat. Assoc. 22, 209-212, with the variance of sampling without replacement, (N - n)/(N - 1)
    times that of sampling with (Cochran 1977, Sampling Techniques, 3rd ed., section 3.2).
    """
    if not part.asked:
        return 0.0, 1.0
    square = DEVIATION**2 * _unasked(part) / max(part.total - 1, 1)
    middle = part.found + square / 2
    reach = math.sqrt(square * (part.found * (part.asked - part.found) / part.asked + square / 4))
    return (middle - reach) / (part.asked + square), (middle + reach) / (part.asked + square)


def _unasked(part: Part) -> int:
    return part.total - part.asked


def _whole(low: float, high: float, total: int, least: int, unknown: int) -> Interval:
    """The interval in whole documents. Rounded inwards it would cover less than it says, so it is rounded outwards.

    `least`: what the count comes to if all `unknown` documents add nothing.
    """
    return Interval(max(math.floor(low + _ROUNDING), least), min(math.ceil(high - _ROUNDING), least + unknown), total)
