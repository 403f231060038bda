"""How much is expected to be asked: between what was drawn, and never more than there is."""

from __future__ import annotations

import pytest

from evaluators.statistics import expected
from evaluators.statistics.expected import DRAWN, Expected


def test_what_was_drawn_is_expected_and_between_the_sizes_something_between() -> None:
    for total, shares in DRAWN.items():
        found = expected.of_task(total)
        assert (found.least, found.most) == pytest.approx((min(shares), max(shares)))
    assert expected.of_task(32) == expected.of_task(10) == Expected(1.0, 1.0)
    assert DRAWN[541][1] > expected.of_task(900).most > DRAWN[1319][1]
    assert expected.of_task(12032) == expected.of_task(1319), "less, in truth"


def test_a_suite_of_one_task_is_that_task() -> None:
    (found,) = expected.of_suite([1319], [2.0])
    assert (found.least, found.most) == pytest.approx((0.12, 0.66), abs=1e-3)


def test_of_a_suites_large_tasks_little_is_asked() -> None:
    """As leaderboards are: six tasks of equal weight."""
    totals = [5761, 1192, 541, 1324, 756, 12032]
    found = expected.of_suite(totals, [1.0] * 6)
    asked = sum(share.most * total for share, total in zip(found, totals, strict=True)) / sum(totals)
    assert 0.15 < asked < 0.30, "the weights decide, and most documents are of tasks that weigh a sixth each"
    assert found[2].most == 1.0
    assert all(share.least <= share.most <= 1 for share in found)


def test_equal_tasks_are_as_good_as_one_large_task() -> None:
    assert expected.of_suite([200] * 6, [1.0] * 6)[0].most == pytest.approx(expected.of_task(1200).most, abs=0.01)


@pytest.mark.parametrize(("points", "asked"), [(2, 0.68), (3, 0.49), (5, 0.24)])
def test_a_width(points: float, asked: float) -> None:
    """As adaptive asking was simulated for 1,319 documents."""
    assert expected.of_width(1319, points).most == pytest.approx(asked, abs=0.03)
    assert expected.of_width(20, points) == Expected(1.0, 1.0)
