"""When a task's energy is known well enough: whether its windows are long enough together, the width of its interval,
and whether another repetition is worth it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from math import ceil, sqrt

from scipy.stats import t

from evaluators.energy import quality
from evaluators.energy.quality import SHORTEST_WINDOW_S
from evaluators.summary import TaskSummary

LEAST_REPETITIONS = 3  # fewer say nothing of the spread
MOST_SHORT_WINDOWS = 10  # a task that would need more asks too little for the sensor
_SHORT = ("too_short",)


def believed(done: Sequence[TaskSummary]) -> list[TaskSummary]:
    """The evaluations of a task, of one run, whose energies count: without a doubt, or with that of a short window only
    where the windows last long enough together. As int_task_evaluations has it."""
    metered = [summary for summary in done if summary.energy_kwh is not None]
    candidates = [summary for summary in metered if summary.flags in ((), _SHORT)]
    together_s = sum(summary.duration_s for summary in candidates)
    return [summary for summary in candidates if not summary.flags or together_s >= SHORTEST_WINDOW_S]


def further_windows(done: Sequence[TaskSummary]) -> int:
    """How many more windows of a task make its short ones last long enough together; 0 where none are short, they do
    already, or it would take more than MOST_SHORT_WINDOWS."""
    short = [summary for summary in done if summary.flags == _SHORT and summary.energy_kwh is not None]
    together_s = sum(summary.duration_s for summary in short)
    if not short or together_s <= 0 or believed(done):
        return 0
    missing = ceil((SHORTEST_WINDOW_S - together_s) / (together_s / len(short)))
    return missing if len(short) + missing <= MOST_SHORT_WINDOWS else 0


def relative_half_width(energies_kwh: Sequence[float]) -> float | None:
    """Half of the mean's 95 % interval (Student's t) over the mean; None below three energies."""
    if len(energies_kwh) < LEAST_REPETITIONS:
        return None
    error = statistics.stdev(energies_kwh) / sqrt(len(energies_kwh))
    return float(t.ppf(0.975, len(energies_kwh) - 1)) * error / statistics.fmean(energies_kwh)


def reason_to_stop(
    done: Sequence[TaskSummary], precision: float, elapsed_s: float, budget_s: float | None
) -> str | None:
    """Why a task is not repeated further, in words; None: repeat it. An energy in doubt counts for nothing."""
    energies = [summary.energy_kwh for summary in believed(done) if summary.energy_kwh is not None]
    width = relative_half_width(energies)
    known = "its energy is not known yet" if width is None else f"its energy is known to ±{width:.1%}"
    if width is not None and width <= precision:
        return f"{known} after {len(done)} evaluations"
    if len(done) >= LEAST_REPETITIONS and not energies:
        flags = tuple(sorted({flag for summary in done for flag in summary.flags}))
        return f"not repeated further, every energy is in doubt: {quality.note(flags) or 'nothing was metered'}"
    if budget_s is not None and elapsed_s >= budget_s:
        return f"{known}, and the budget of {budget_s / 60:g} min has ended"
    return None
