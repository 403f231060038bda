"""A meter that replays given readings in order, for tests that need known figures."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.energy.quality import examine
from evaluators.energy.windows import MeterFailed, Reading


class ReplayMeter:
    """Returns the n-th reading for the n-th window, after the same checks as for a real meter."""

    name = "replay"
    version = "1"
    cpu_method = gpu_method = "absent"  # a replayed window needs no idle time; readings have their own methods

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = iter(readings)

    def start(self) -> None:
        pass

    def stop(self) -> Reading:
        try:
            return examine(next(self._readings))
        except StopIteration:
            raise MeterFailed("there are fewer replayed readings than windows; provide one for each window") from None

    def watts_now(self) -> float | None:
        return None

    def energy_now(self) -> float | None:
        return None

    def close(self) -> None:
        pass
