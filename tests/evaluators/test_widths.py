"""The full run's score to a width covers what it says, although it is looked at every 32 documents: enumerated, by the
hypergeometric distribution, for full runs of every score."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.stats import hypergeom

from evaluators.statistics import looks, widths
from evaluators.statistics.widths import Interval, Part, of_difference, of_score


def enumerated(interval: Callable[[Part], Interval], total: int, right: int, width: float) -> tuple[float, float]:
    """How often the interval on which one stops holds the score of a full run with so many right answers, and the share
    of documents that are asked."""
    goes_on, held, asked, before = {0: 1.0}, 0.0, 0.0, 0
    for n in looks.of_width(total):
        chances = np.zeros(n + 1)
        for found, chance in goes_on.items():
            added = np.arange(n - before + 1)
            chances[found + added] += chance * hypergeom.pmf(added, total - before, right - found, n - before)
        goes_on = {}
        for found in np.flatnonzero(chances > 1e-13).tolist():
            seen = interval(Part(total, n, found))
            if seen.half_width <= width:
                held += chances[found] * (seen.low <= right <= seen.high)
                asked += chances[found] * n
            else:
                goes_on[found] = chances[found]
        before = n
    assert not goes_on, "once all are asked the score is known"
    return held, asked / total


@pytest.mark.parametrize(
    ("total", "width", "some"),
    [
        pytest.param(40, 2, 1, id="40 documents"),
        pytest.param(100, 5, 3, id="100 documents"),
        pytest.param(200, 5, 9, id="200 documents to 5 points"),
        pytest.param(200, 3, 9, id="200 documents to 3 points"),
        pytest.param(541, 5, 31, id="541 documents to 5 points"),
    ],
)
def test_a_score_to_a_width(total: int, width: float, some: int) -> None:
    assert min(enumerated(of_score, total, right, width)[0] for right in range(0, total + 1, some)) >= 0.954


def test_the_normal_deviate_of_a_single_look_covers_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widths, "DEVIATION", 1.96)
    assert min(enumerated(of_score, 541, right, 5)[0] for right in range(0, 542, 31)) < 0.954


def test_bounds_that_are_rounded_inwards_cover_less() -> None:
    def inwards(part: Part) -> Interval:
        found = of_score(part)
        return found if found.low == found.high else Interval(found.low + 1, found.high - 1, found.total)

    assert min(enumerated(inwards, 200, right, 5)[0] for right in range(0, 201, 9)) < 0.95


@pytest.mark.parametrize("asked", [0, 1, 32, 199, 200])
def test_nothing_that_is_known_is_contradicted(asked: int) -> None:
    for found in range(asked + 1):
        interval = of_score(Part(200, asked, found))
        assert found <= interval.low <= interval.high <= 200 - (asked - found)
        if asked == 200:
            assert interval.low == interval.high == found


def test_intervals_shrink_as_more_is_asked() -> None:
    half_widths = [of_score(Part(1000, asked, asked // 2)).half_width for asked in range(32, 1001, 32)]
    assert all(later < earlier for earlier, later in itertools.pairwise(half_widths))


def test_wilsons_interval_of_a_published_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newcombe 1998, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17(8), 857-872,
    table I, method 3. With as many documents unasked, sampling without replacement is sampling with."""
    monkeypatch.setattr(widths, "DEVIATION", 1.959964)
    many = 10**9
    for found, asked, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        interval = of_score(Part(many, asked, found))
        assert (round(interval.low / many, 4), round(interval.high / many, 4)) == (low, high)


def test_a_difference_from_a_complete_reference() -> None:
    """Half of the 200 documents are asked: 3 of 50 gained, 4 of 50 lost."""
    interval = of_difference(Part(100, 50, 3), Part(100, 50, 4))
    assert interval.total == 200
    assert interval.low < 2 * 3 - 2 * 4 < interval.high
    assert interval.half_width < of_score(Part(200, 100, 50)).half_width
    mirrored = of_difference(Part(100, 50, 4), Part(100, 50, 3))
    assert (mirrored.low, mirrored.high) == (-interval.high, -interval.low)


def test_a_difference_is_exact_once_all_are_asked() -> None:
    interval = of_difference(Part(80, 80, 7), Part(120, 120, 9))
    assert (interval.low, interval.high, interval.half_width) == (-2, -2, 0)


def test_a_stratum_that_was_not_asked_may_hold_anything() -> None:
    assert of_difference(Part(3, 0, 0), Part(197, 197, 5)) == Interval(-5, -2, 200)
    assert of_difference(Part(0, 0, 0), Part(200, 200, 5)) == Interval(-5, -5, 200)


@cache
def drawn(total: int, discordant: float, *, one_sided: bool) -> tuple[float, dict[float, float]]:
    """For a sibling of the reference, which answers half correctly: the least coverage at widths of 2, 3 and 5 points,
    and the share of documents that each width asks."""
    rng, half = np.random.default_rng(3), total // 2
    reference = np.repeat([0, 1], [total - half, half])
    held: dict[float, list[bool]] = {2: [], 3: [], 5: []}
    asked: dict[float, list[float]] = {2: [], 3: [], 5: []}
    for _ in range(TRIALS):
        if one_sided:
            flipped = np.arange(total) >= total - round(discordant * total)
        else:
            flipped = rng.random(total) < discordant
        order = rng.permutation(total)
        right, flips = reference[order], flipped[order]
        truth = int((flipped & (reference == 0)).sum() - (flipped & (reference == 1)).sum())
        missing = set(held)
        for n in looks.of_width(total):
            gained, lost = (
                Part(whole, int((right[:n] == value).sum()), int((flips[:n] & (right[:n] == value)).sum()))
                for whole, value in ((total - half, 0), (half, 1))
            )
            interval = of_difference(gained, lost)
            for width in [width for width in missing if interval.half_width <= width]:
                held[width].append(interval.low <= truth <= interval.high)
                asked[width].append(n / total)
                missing.remove(width)
            if not missing:
                break
    return min(float(np.mean(each)) for each in held.values()), {w: float(np.mean(each)) for w, each in asked.items()}


TRIALS = 1000  # the Monte Carlo error of a coverage of 95 % is 0.7 points


@pytest.mark.slow
@pytest.mark.parametrize("one_sided", [False, True], ids=["both ways", "all lost"])
@pytest.mark.parametrize("discordant", [0.02, 0.03, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("total", [200, 541, 1319])
def test_a_difference_to_a_width(total: int, discordant: float, one_sided: bool) -> None:
    covered, _ = drawn(total, discordant, one_sided=one_sided)
    assert covered >= 0.95


@pytest.mark.slow
def test_what_a_width_asks() -> None:
    """Of 1,319 documents, to 2, 3 and 5 points: alone, and beside a sibling that answers 3 % otherwise."""
    alone = [enumerated(of_score, 1319, 660, width)[1] for width in (2, 3, 5)]
    assert alone == pytest.approx([0.68, 0.49, 0.24], abs=0.03)
    _, beside = drawn(1319, 0.03, one_sided=False)
    assert [*beside.values()] == pytest.approx([0.24, 0.15, 0.08], abs=0.03)
