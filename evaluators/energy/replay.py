"""A meter that replays given readings in order: the drop-in for tests, where figures must be known beforehand."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.energy.quality import examine
from evaluators.energy.windows import MeterFailed, Reading


class ReplayMeter:
    """Answers the n-th window with the n-th reading, after the same checks as a real meter's."""

    name = "replay"
    version = "1"

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = iter(readings)

    def start(self) -> None:
        pass

    def stop(self) -> Reading:
        try:
            return examine(next(self._readings))
        except StopIteration:
            raise MeterFailed("the replayed readings have come to their end; give one for each window") from None

    def watts_now(self) -> float | None:
        return None

    def energy_now(self) -> float | None:
        return None

    def close(self) -> None:
        pass
