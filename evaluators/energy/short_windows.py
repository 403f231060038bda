"""Windows that are too short for the sensor, singly and together: which of a task's energies count, and how many more
windows it takes for them to count."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.energy.quality import SHORTEST_WINDOW_S
from evaluators.summary import TaskSummary

MOST_SHORT_WINDOWS = 10  # a task that would need more has too few documents for the sensor
_SHORT = ("too_short",)


def countable(done: Sequence[TaskSummary]) -> list[TaskSummary]:
    """The evaluations of a task in one run that have an energy that counts: those without a flag, and those flagged
    only as short where all windows with an energy together are long enough."""
    candidates = [summary for summary in done if summary.energy_kwh is not None and summary.flags in ((), _SHORT)]
    together_s = math.fsum(summary.duration_s for summary in candidates)
    return [summary for summary in candidates if not summary.flags or together_s >= SHORTEST_WINDOW_S]


def further_windows(done: Sequence[TaskSummary]) -> int:
    """How many more windows a task needs until its short ones together are long enough; 0 where none is short, they
    already are, or it would take more than MOST_SHORT_WINDOWS."""
    short = [summary for summary in done if summary.flags == _SHORT and summary.energy_kwh is not None]
    together_s = math.fsum(summary.duration_s for summary in short)
    if not short or together_s <= 0 or countable(done):
        return 0
    missing = math.ceil((SHORTEST_WINDOW_S - together_s) / (together_s / len(short)))
    return missing if len(short) + missing <= MOST_SHORT_WINDOWS else 0
