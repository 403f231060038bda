"""Boundaries and repeated p values of a normal statistic, against published values and another integration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from evaluators.statistics import brownian, looks, suites
from evaluators.statistics.brownian import boundaries, repeated_p_value

LEADERBOARD = [suites.Task(total) for total in (5761, 1192, 541, 1324, 756, 12032)]
SCHEDULES = [
    *(tuple(asked / total for asked in looks.of_task(total)) for total in (20, 33, 200, 541, 1319, 12032)),
    suites.planned_spending(LEADERBOARD),
]
FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def test_published_boundaries_of_the_spending_in_use() -> None:
    """Lan and DeMets 1983, Biometrika 70(3), 659-663, their third function, five looks at 5 %."""
    found = boundaries(FIFTHS, looks.spending(FIFTHS, 0.05))
    assert [round(bound, 2) for bound in found] == [2.58, 2.49, 2.41, 2.34, 2.28]


def test_published_boundaries_of_unequal_looks() -> None:
    """R's rpact 3 on the same spending, one-sided at 3 %; a second side takes 2e-5 off the last boundary."""
    shares = (0.2, 0.4, 1.0)
    found = boundaries(shares, looks.spending(shares, 0.06))
    assert found == pytest.approx((2.5121443, 2.4228747, 2.0280392), abs=3e-5)


def test_published_boundaries_of_another_spending() -> None:
    """O'Brien and Fleming's three looks, likewise: 2.0040 times the root of three over the look's number."""
    spending = tuple(2 * spent for spent in (0.00025917372, 0.0071600594, 0.02499999))
    found = boundaries((1 / 3, 2 / 3, 1.0), spending)
    assert found == pytest.approx((3.4710914, 2.4544323, 2.0040356), abs=1e-5)


@pytest.mark.parametrize("shares", [FIFTHS, (0.16, 0.2, 0.25, 0.31, 1.0), (0.3, 0.95, 1.0)])
@pytest.mark.parametrize("level", [0.05, 0.10, 0.5])
def test_each_look_spends_what_is_planned(shares: tuple[float, ...], level: float) -> None:
    """Integrated as the normal distribution of all looks together, which is quasi-random and good to 1e-5 or so."""
    bounds = boundaries(shares, looks.spending(shares, level))
    for k in range(1, len(shares) + 1):
        earlier, later = np.minimum.outer(shares[:k], shares[:k]), np.maximum.outer(shares[:k], shares[:k])
        together = multivariate_normal(
            np.zeros(k), np.sqrt(earlier / later), seed=np.random.default_rng(1), maxpts=200_000, abseps=1e-6
        )
        goes_on = together.cdf(np.array(bounds[:k]), lower_limit=-np.array(bounds[:k]))
        assert 1 - goes_on == pytest.approx(level * shares[k - 1], abs=2e-5)


@pytest.mark.parametrize("shares", SCHEDULES)
def test_a_finer_quadrature_changes_nothing(monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...]) -> None:
    spending = looks.spending(shares, 0.05)
    found = boundaries(shares, spending)
    monkeypatch.setattr(brownian, "_PANEL", 0.5)
    assert boundaries.__wrapped__(shares, spending) == pytest.approx(found, abs=1e-7)


@pytest.mark.parametrize("shares", SCHEDULES)
def test_boundaries_fall_as_the_level_rises(shares: tuple[float, ...]) -> None:
    """So tests at two levels nest, which `repeated_p_value` rests on."""
    levels = [*np.geomspace(1e-12, 0.5, 40), *np.linspace(0.55, 1, 10)]
    bounds = [boundaries(shares, looks.spending(shares, float(level))) for level in levels]
    for lower, higher in itertools.pairwise(bounds):
        assert all(high < low for low, high in zip(lower, higher, strict=True))


@pytest.mark.parametrize("shares", SCHEDULES[:-1])
def test_the_last_boundaries_are_little_above_those_of_one_look(shares: tuple[float, ...]) -> None:
    at_most = {0.05: 2.34, 0.10: 2.02}
    for level, most in at_most.items():
        last = boundaries(shares, looks.spending(shares, level))[-1]
        assert norm.isf(level / 2) - 1e-12 <= last < most


def test_one_look_is_the_fixed_test() -> None:
    assert boundaries((1.0,), (0.05,)) == pytest.approx((norm.isf(0.025),))
    assert repeated_p_value([2.3], [1.0], [1.0]) == pytest.approx(2 * norm.sf(2.3))


@pytest.mark.parametrize("shares", SCHEDULES[2:])
@pytest.mark.parametrize("level", [1e-6, 0.01, 0.05, 0.3, 0.9])
def test_a_path_on_the_boundary_has_its_level_as_p_value(shares: tuple[float, ...], level: float) -> None:
    bounds = boundaries(shares, looks.spending(shares, level))
    for k in (0, 1, len(bounds) - 1):
        path = [0.0] * k + [-bounds[k]]
        assert repeated_p_value(path, shares, shares) == pytest.approx(level, rel=1e-6)


def test_p_values_never_rise_and_stay_above_zero() -> None:
    shares = SCHEDULES[2]
    path = [0.3, 1.9, 3.4, 2.2, 0.1, 4.5, 1.0, 60.0, 0.0]
    values = [repeated_p_value(path[:k], shares, shares) for k in range(1, len(path) + 1)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(values))
    assert values[0] == 1
    assert 0 < values[-1] <= 1e-290


def test_a_look_that_may_spend_nothing_never_stops() -> None:
    assert boundaries((0.5, 1.0), (0.0, 0.05))[0] == math.inf
    assert boundaries((0.5, 0.8, 1.0), (0.01, 0.01, 0.05))[1] == math.inf


def test_looks_that_bring_no_information_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        boundaries((0.5, 0.5, 1.0), (0.02, 0.03, 0.05))
