"""Group-sequential tests of a normal statistic: boundaries of repeated intervals, and of suites.

A sum over documents, looked at after shares t of the information, behaves as a Brownian motion at the times t. The
boundary of each look is where the error planned for it is spent (Lan and DeMets 1983, Biometrika 70(3), 659-663). It is
found by carrying the density of the paths that have not stopped from look to look, by numerical integration (Armitage,
McPherson and Rowe 1969, J. R. Stat. Soc. A 132(2), 235-244; Jennison and Turnbull 2000, Group Sequential Methods,
ch. 19). Nothing is drawn at random: a schedule always has the same boundaries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from evaluators.statistics import looks

Floats = npt.NDArray[np.float64]

# Gauss and Legendre's quadrature on panels of this many standard deviations of a step. On narrower ones boundaries stay
# the same to 1e-7, as a test shows.
_PANEL = 2.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_FARTHEST = 40.0  # standard deviations; the normal tail beyond is zero in floating point
_LEAST_LEVEL = 1e-300


@lru_cache(maxsize=1024)
def boundaries(shares: tuple[float, ...], spending: tuple[float, ...]) -> tuple[float, ...]:
    """The standardised deviation, up or down, at which each look stops; infinite where it may spend nothing.

    `shares`: of the information, at each look; `spending`: error spent by each look, both directions together. It
    takes a few milliseconds.
    """
    found: list[float] = []
    nodes, weights = np.zeros(1), np.ones(1)  # positions of the paths that go on, and their probabilities
    time = spent = 0.0
    for share, budget in zip(shares, spending, strict=True):
        if not time < share <= 1:
            raise ValueError(f"shares of the information must rise to 1 at most: {shares}")
        step = math.sqrt(share - time)
        bound = _boundary(nodes, weights, step, budget - spent)
        found.append(bound / math.sqrt(share))
        nodes, weights = _carried(nodes, weights, step, min(bound, _FARTHEST * math.sqrt(share)))
        time, spent = share, budget
    return tuple(found)


def repeated_p_value(deviations: Sequence[float], shares: Sequence[float], planned: Sequence[float]) -> float:
    """The least level at which a test would have stopped by now, after looks with these standardised deviations.

    `shares`: of the information, at the looks; `planned`: of the error, to be spent by then. Boundaries of a normal
    statistic fall as the level rises (a test walks the levels for the schedules in use), so that every higher level
    would have stopped as well: successive values never rise, and the chance that they ever fall to x or below is at
    most x if there is no difference.
    """
    so_far, spent = tuple(shares[: len(deviations)]), planned[: len(deviations)]
    # What a look stops is at most what is spent by then, which bounds the level from below.
    lowest = min(2 * float(ndtr(-abs(z))) / share for z, share in zip(deviations, spent, strict=True))
    if lowest >= 1:
        return 1.0

    def excess(log_level: float) -> float:
        """By how much the best of the looks exceeds its boundary."""
        bounds = boundaries(so_far, looks.spending(spent, math.exp(log_level)))
        return max(abs(z) - bound for z, bound in zip(deviations, bounds, strict=True))

    low = math.log(max(lowest, _LEAST_LEVEL))
    if excess(0.0) <= 0:
        return 1.0
    if excess(low) >= 0:
        return math.exp(low)
    return math.exp(float(brentq(excess, low, 0.0, xtol=1e-9)))


def _boundary(nodes: Floats, weights: Floats, step: float, budget: float) -> float:
    """Where a look after a step of this standard deviation stops paths of the probability `budget`."""

    def exceeding(bound: float) -> float:
        beyond = ndtr((nodes - bound) / step) + ndtr((-nodes - bound) / step)
        return float(weights @ beyond) - budget

    if len(nodes) == 1:  # the first look
        return step * float(-ndtri(budget / 2)) if budget > 0 else math.inf
    farthest = float(nodes[-1]) + _FARTHEST * step
    if budget <= 0 or exceeding(farthest) >= 0:
        return math.inf
    if exceeding(0.0) <= 0:
        return 0.0
    return float(brentq(exceeding, 0.0, farthest, xtol=1e-12))


def _carried(nodes: Floats, weights: Floats, step: float, bound: float) -> tuple[Floats, Floats]:
    """The paths that have not stopped, on the nodes of a quadrature from 0 to `bound`: both directions are alike."""
    if bound <= 0:
        return nodes, np.zeros_like(nodes)
    panels = math.ceil(bound / step / _PANEL)
    places = (np.arange(panels)[:, None] + (_NODES + 1) / 2).ravel() * bound / panels
    lengths = np.tile(_WEIGHTS / 2, panels) * bound / panels
    near, far = (places[:, None] - nodes) / step, (places[:, None] + nodes) / step
    density = (np.exp(-(near**2) / 2) + np.exp(-(far**2) / 2)) @ weights / (step * math.sqrt(2 * math.pi))
    return places, density * lengths
