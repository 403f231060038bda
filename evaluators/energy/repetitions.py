"""When a task's energy is known well enough: whether its windows are long enough together, the width of its interval,
and whether another repetition is worth it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from evaluators.energy import quality
from evaluators.energy.quality import SHORTEST_WINDOW_S
from evaluators.summary import TaskSummary

MOST_SHORT_WINDOWS = 10  # a task that would need more asks too little for the sensor
MOST_IN_DOUBT = 3  # evaluations of a task whose energies are all in doubt: a further one would be, too
MOST_BESIDE_OTHERS = 3  # further evaluations of a task, in place of those that other programs spoilt
# An interval that is looked at after every repetition, and published where it is narrow, covers less than it says: from
# the third repetition on and at 95 %, 90 %. At these it covers 95 % (tests/evaluators/test_precision.py simulates it).
FIRST_LOOK = 5  # repetitions
LOOKED_AT_LEVEL = 0.98  # as in the macro t_of_energy
_SHORT = ("too_short",)


def believed(done: Sequence[TaskSummary]) -> list[TaskSummary]:
    """The evaluations of a task, of one run, whose energies count: without a doubt, or with that of a short window only
    where the windows that have an energy last long enough together. int_task_evaluations has the same rule."""
    candidates = [summary for summary in done if summary.energy_kwh is not None and summary.flags in ((), _SHORT)]
    together_s = math.fsum(summary.duration_s for summary in candidates)
    return [summary for summary in candidates if not summary.flags or together_s >= SHORTEST_WINDOW_S]


def further_windows(done: Sequence[TaskSummary]) -> int:
    """How many more windows of a task make its short ones last long enough together; 0 where none are short, they do
    already, or it would take more than MOST_SHORT_WINDOWS."""
    short = [summary for summary in done if summary.flags == _SHORT and summary.energy_kwh is not None]
    together_s = math.fsum(summary.duration_s for summary in short)
    if not short or together_s <= 0 or believed(done):
        return 0
    missing = math.ceil((SHORTEST_WINDOW_S - together_s) / (together_s / len(short)))
    return missing if len(short) + missing <= MOST_SHORT_WINDOWS else 0


def spoilt_by_others(done: Sequence[TaskSummary], repetitions: int) -> bool:
    """Whether a task is to be evaluated again, for other programs spoilt so many energies that fewer than the suite's
    `repetitions` count. They may be gone by then, but not for ever: MOST_BESIDE_OTHERS times at most."""
    spoilt = any("foreign_load" in summary.flags for summary in done)
    return spoilt and len(believed(done)) < repetitions and len(done) < repetitions + MOST_BESIDE_OTHERS


def relative_half_width(energies_kwh: Sequence[float]) -> float | None:
    """How far the interval of the mean reaches above it, as a share of it; None before the first look.

    Student's t on the logarithm at LOOKED_AT_LEVEL, as it is published for a run that repeated until precise.
    """
    from scipy.stats import t  # takes longer to import than a plan to be made, which only asks what counts

    repetitions = len(energies_kwh)
    if repetitions < FIRST_LOOK:
        return None
    error = statistics.stdev(energies_kwh) / math.sqrt(repetitions) / statistics.fmean(energies_kwh)
    freedom = min(repetitions - 1, 30)  # where the seed student_t ends
    return math.expm1(float(t.ppf((1 + LOOKED_AT_LEVEL) / 2, freedom)) * error)


def reason_to_stop(
    done: Sequence[TaskSummary], precision: float, elapsed_s: float, budget_s: float | None
) -> str | None:
    """Why a task is not repeated further, in words; None: repeat it. An energy in doubt counts for nothing."""
    energies = [summary.energy_kwh for summary in believed(done) if summary.energy_kwh is not None]
    width = relative_half_width(energies)
    known = "its energy is not known yet" if width is None else f"its energy is known to ±{width:.1%}"
    if width is not None and width <= precision:
        return f"{known} after {len(done)} evaluations"
    if len(done) >= MOST_IN_DOUBT and not energies:
        flags = tuple(sorted({flag for summary in done for flag in summary.flags}))
        return f"not repeated further, every energy is in doubt: {quality.meanings(flags) or 'nothing was metered'}"
    if budget_s is not None and elapsed_s >= budget_s:
        return f"{known}, and the budget of {budget_s / 60:g} min has ended"
    return None
