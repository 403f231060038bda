"""When a task's energy is known well enough: the width of its interval, and how many windows that takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from math import sqrt

from scipy.stats import t

LEAST_REPETITIONS = 3  # fewer say nothing of the spread


def relative_half_width(energies_kwh: Sequence[float]) -> float | None:
    """Half of the mean's 95 % interval (Student's t) over the mean; None below three energies."""
    if len(energies_kwh) < LEAST_REPETITIONS:
        return None
    error = statistics.stdev(energies_kwh) / sqrt(len(energies_kwh))
    return float(t.ppf(0.975, len(energies_kwh) - 1)) * error / statistics.fmean(energies_kwh)
