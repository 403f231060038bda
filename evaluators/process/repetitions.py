"""Whether a task is evaluated again for a better energy: where its windows are too short, other programs spoilt them,
or its interval is still too wide.

Belongs here: when to stop. Does not belong here: which energies count (`energy.short_windows`), or how a task is
evaluated (`run`).
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence

from scipy.special import stdtrit

from evaluators.energy import quality
from evaluators.energy.short_windows import countable, further_windows
from evaluators.process.tally import Tally, taken
from evaluators.summary import TaskSummary

MOST_IN_DOUBT = 3  # evaluations of a task with all energies in doubt: those of further ones would be, too
MOST_BESIDE_OTHERS = 3  # further evaluations of a task that replace those spoilt by other programs
# An interval that is checked after every repetition and published once it is narrow covers less than it claims: checked
# from the third repetition on, a 95 % interval covers 90 %. With these two values it covers 95 %, as
# tests/evaluators/test_repetitions.py simulates.
FIRST_LOOK = 5  # repetitions
LOOKED_AT_LEVEL = 0.98


def repeat_doubtful(
    task: str, tally: Tally, wanted: int, again: Callable[[int], None], say: Callable[[str], None]
) -> None:
    """Evaluate a task again while its windows are too short for the sensor, until together they are long enough, or
    while other programs spoil them, a bounded number of times. `wanted`: the suite's repetitions. `again` gets the
    number of the repetition."""
    while task not in tally.failures:
        done = tally.of(task)
        if not further_windows(done) and not spoilt_by_others(done, wanted):
            if done and done[-1].repetition > wanted:
                say(f"{task}: evaluated {len(done)} times to determine its energy, {taken(done)}")
            return
        again(_next(done))


def repeat_until_precise(
    tasks: Sequence[str],
    tally: Tally,
    narrow_enough: float,
    repeat_for_s: float | None,
    again: Callable[[str, int], None],
    say: Callable[[str], None],
) -> None:
    """Evaluate each task again until its interval is `narrow_enough` (`relative_half_width`), or for `repeat_for_s`.

    The longest tasks come first: they make up most of the suite's energy, and most of its uncertainty.
    """
    started = time.perf_counter()
    took = {summary.task: summary.duration_s for summary in tally.summaries}
    for task in sorted(tasks, key=lambda task: took.get(task, 0.0), reverse=True):
        while task not in tally.failures:
            done = tally.of(task)
            why = reason_to_stop(done, narrow_enough, time.perf_counter() - started, repeat_for_s)
            if why is not None:
                say(f"{task}: {why}")
                break
            again(task, _next(done))


def spoilt_by_others(done: Sequence[TaskSummary], repetitions: int) -> bool:
    """Whether a task is evaluated again because other programs spoilt so many energies that fewer than the suite's
    `repetitions` count. They may have ended by then, but that is tried at most MOST_BESIDE_OTHERS times."""
    spoilt = any("foreign_load" in summary.flags for summary in done)
    return spoilt and len(countable(done)) < repetitions and len(done) < repetitions + MOST_BESIDE_OTHERS


def relative_half_width(energies_kwh: Sequence[float]) -> float | None:
    """How far the interval of the mean extends above it, as a share of it; None before FIRST_LOOK repetitions.

    Student's t on the logarithm at LOOKED_AT_LEVEL, as published for a run with `until_precise`.
    """
    repetitions = len(energies_kwh)
    if repetitions < FIRST_LOOK:
        return None
    error = statistics.stdev(energies_kwh) / math.sqrt(repetitions) / statistics.fmean(energies_kwh)
    freedom = min(repetitions - 1, 30)  # the last row of the seed student_t
    return math.expm1(float(stdtrit(freedom, (1 + LOOKED_AT_LEVEL) / 2)) * error)


def reason_to_stop(
    done: Sequence[TaskSummary], narrow_enough: float, elapsed_s: float, repeat_for_s: float | None
) -> str | None:
    """Why a task is not repeated further, in words; None: repeat it. Energies in doubt do not count."""
    energies = [summary.energy_kwh for summary in countable(done) if summary.energy_kwh is not None]
    width = relative_half_width(energies)
    known = "its energy is still uncertain" if width is None else f"its energy is known to ±{width:.1%}"
    if width is not None and width <= narrow_enough:
        return f"{known} after {len(done)} evaluations"
    if len(done) >= MOST_IN_DOUBT and not energies:
        flags = tuple(sorted({flag for summary in done for flag in summary.flags}))
        return f"not repeated further: every energy is in doubt ({quality.meanings(flags) or 'nothing was metered'})"
    if repeat_for_s is not None and elapsed_s >= repeat_for_s:
        return f"{known}, and the {repeat_for_s / 60:g} min for repetitions are over"
    return None


def _next(done: Sequence[TaskSummary]) -> int:
    return max(summary.repetition for summary in done) + 1
