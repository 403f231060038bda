"""`--until-precise` covers what it says: the interval on which it stops, which is then the published one, holds the
true energy in 95 % of cases, although it was looked at after every repetition.

Simulated with the rule that stops a real run; of scipy only Student's quantiles are tabulated.
"""

from __future__ import annotations

import functools
import math
import random
import statistics
from collections.abc import Iterable, Iterator, Sequence

import pytest
from scipy import stats

from evaluators.process import repetitions
from evaluators.process.repetitions import FIRST_LOOK, reason_to_stop, relative_half_width
from evaluators.summary import TaskSummary

TRIALS = 4000  # the Monte Carlo error of a share of 95 % is 0.34 points: two of them lie between claimed and seen
MOST = 40  # repetitions, where a budget would end


def evaluated(energy_kwh: float, repetition: int = 1) -> TaskSummary:
    return TaskSummary("task", "acc", 0.5, None, 4, 10.0, energy_kwh, "measured", 1, 1, repetition=repetition)


def published(energies: Sequence[float], quantile: float) -> tuple[float, float]:
    """The interval of the marts (macro ratio_bound) with the quantile of a run that repeated until precise."""
    freedom = min(len(energies) - 1, 30)
    mean = statistics.fmean(energies)
    error = statistics.stdev(energies) / math.sqrt(len(energies)) / mean
    reach = math.exp(float(stats.t.ppf(quantile, freedom)) * error)
    return mean / reach, mean * reach


def test_there_is_no_interval_before_the_first_look() -> None:
    same = [1.0, 1.01, 0.99, 1.0, 1.0]
    assert FIRST_LOOK == 5
    assert relative_half_width(same[:4]) is None
    done = [evaluated(energy) for energy in same]
    assert reason_to_stop(done[:4], 0.5, 0.0, None) is None
    assert reason_to_stop(done, 0.5, 0.0, None) is not None


def test_the_width_is_that_of_the_published_interval() -> None:
    energies = [0.9, 1.0, 1.1, 1.02, 0.97, 1.05]
    width = relative_half_width(energies)
    low, high = published(energies, 0.99)
    assert width == pytest.approx(high / statistics.fmean(energies) - 1)
    assert width == pytest.approx(statistics.fmean(energies) / low - 1)
    many = [0.9, 1.1] * 20  # the marts' table of quantiles ends at 30 degrees of freedom
    assert relative_half_width(many) == pytest.approx(published(many, 0.99)[1] / statistics.fmean(many) - 1)


@pytest.fixture
def tabulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """scipy's quantile takes a tenth of a millisecond, and the simulation asks for the same few of them."""
    monkeypatch.setattr(stats.t, "ppf", functools.cache(stats.t.ppf))


# The spread of an energy from repetition to repetition, and the width that is asked for: at the last three, looking
# again and again costs most.
SPREADS_AND_WIDTHS = [(0.02, 0.05), (0.03, 0.02), (0.05, 0.05), (0.08, 0.05)]
Share = tuple[float, float]  # as seen in the trials, and its standard error


def until_precise(spread: float, width: float) -> Iterator[tuple[random.Random, list[float]]]:
    """The energies of a task that was repeated until the evaluator's rule stopped it, of mean exp(spread² / 2)."""
    drawn = random.Random(f"{spread}/{width}")
    for _ in range(TRIALS):
        done: list[TaskSummary] = []
        while len(done) < MOST and reason_to_stop(done, width, 0.0, None) is None:
            done.append(evaluated(drawn.lognormvariate(0.0, spread), len(done) + 1))
        yield drawn, [summary.energy_kwh or 0.0 for summary in done]


def share(seen: Iterable[bool]) -> Share:
    part = statistics.fmean(seen)
    return part, math.sqrt(part * (1 - part) / TRIALS)


def coverage(spread: float, width: float, quantile: float) -> Share:
    """How often the interval holds the mean energy."""
    true = math.exp(spread * spread / 2)
    bounds = (published(energies, quantile) for _, energies in until_precise(spread, width))
    return share(low <= true <= high for low, high in bounds)


@pytest.mark.slow
@pytest.mark.usefixtures("tabulated")
@pytest.mark.parametrize(("spread", "width"), SPREADS_AND_WIDTHS)
def test_the_published_interval_covers_what_it_says(spread: float, width: float) -> None:
    covered, error = coverage(spread, width, 0.99)
    assert covered - 2 * error > 0.95


@pytest.mark.slow
@pytest.mark.usefixtures("tabulated")
@pytest.mark.parametrize(
    ("first_look", "level", "quantile"),
    [
        pytest.param(3, 0.95, 0.975, id="looking at the 95 % interval from the third repetition on"),
        pytest.param(5, 0.98, 0.975, id="publishing the 95 % interval after stopping on the 98 % interval"),
    ],
)
def test_the_simulation_sees_a_rule_that_covers_less(
    monkeypatch: pytest.MonkeyPatch, first_look: int, level: float, quantile: float
) -> None:
    monkeypatch.setattr(repetitions, "FIRST_LOOK", first_look)
    monkeypatch.setattr(repetitions, "LOOKED_AT_LEVEL", level)
    covered, error = coverage(0.08, 0.05, quantile)
    assert covered + 2 * error < 0.95


@pytest.mark.slow
@pytest.mark.usefixtures("tabulated")
def test_repetitions_of_other_runs_among_them_do_not_spoil_it() -> None:
    """A task's repetitions may be of several runs: a later one made the first again, an earlier one had two more."""
    spread, true = 0.08, math.exp(0.08 * 0.08 / 2)
    held = []
    for drawn, energies in until_precise(spread, 0.05):
        others = [drawn.lognormvariate(0.0, spread) for _ in range(3)]
        bounds = [published([others[0], *energies[1:]], 0.99), published([*others[1:], *energies], 0.99)]
        held.append([low <= true <= high for low, high in bounds])
    for seen in zip(*held, strict=True):
        covered, error = share(seen)
        assert covered - 2 * error > 0.95


@pytest.mark.slow
@pytest.mark.usefixtures("tabulated")
@pytest.mark.parametrize(("quantile", "holds"), [(0.975, True), (0.95, False)])
def test_a_one_sided_test_errs_in_five_percent(quantile: float, holds: bool) -> None:
    """Equivalence takes the 97.5 % quantile after such a stop; the 95 % quantile would not do."""
    true = math.exp(0.08 * 0.08 / 2)
    wrong, error = share(published(energies, quantile)[1] < true for _, energies in until_precise(0.08, 0.05))
    assert wrong < 0.05 if holds else wrong - 2 * error > 0.05
