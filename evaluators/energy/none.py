"""The meter that measures nothing: every component is absent and every energy NULL."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from evaluators.energy.windows import Reading


class NoMeter:
    """Measures durations only."""

    name = "none"
    version = "1"
    cpu_method = gpu_method = "absent"

    def start(self) -> None:
        self._started_at = datetime.now(UTC)
        self._started = time.perf_counter()

    def stop(self) -> Reading:
        return Reading(
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
            duration_s=time.perf_counter() - self._started,
            cpu_energy_kwh=None,
            gpu_energy_kwh=None,
            ram_energy_kwh=None,
            cpu_method=self.cpu_method,
            gpu_method=self.gpu_method,
            ram_method="absent",
        )

    def watts_now(self) -> float | None:
        return None

    def energy_now(self) -> float | None:
        return None

    def close(self) -> None:
        pass
