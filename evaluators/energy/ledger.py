"""The ledger: assigns the meter's windows to the phases of tasks, and adds them up.

Does not belong here: a meter, its readings (`windows`), or what makes a figure doubtful (`quality`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluators.energy.quality import examine_phase
from evaluators.energy.windows import GpuState, Meter, Reading


class Ledger:
    """Assigns the meter's windows to phases: one phase is open at a time, and all of it is metered."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._open: str | None = None
        self._phases: dict[str, list[Reading]] = {}

    def switch(self, phase: str | None) -> None:
        """Close the open window, if any, and open one for `phase`; None opens none."""
        if self._open is not None:
            self._phases.setdefault(self._open, []).append(self._meter.stop())
        self._open = phase
        if phase is not None:
            self._meter.start()

    def energy_now(self) -> float | None:
        """kWh of all unsettled windows, including the open one; None where it is unknown."""
        closed = [window.energy_kwh for windows in self._phases.values() for window in windows]
        energies = [*closed, self._meter.energy_now()] if self._open is not None else closed
        known = [energy for energy in energies if energy is not None]
        return sum(known) if len(known) == len(energies) else None

    def settle(self) -> dict[str, Reading]:
        """Close the open window and return every phase's total; the ledger is empty afterwards."""
        return {phase: examine_phase(reading) for phase, reading in self.settle_part().items()}

    def settle_part(self) -> dict[str, Reading]:
        """The same of a part of a task: whether it took long enough is asked of all parts together (`sum_of`)."""
        self.switch(None)
        phases, self._phases = self._phases, {}
        return {phase: _total(windows) for phase, windows in phases.items()}


def sum_of(parts: Sequence[Reading]) -> Reading:
    """A phase of a task that was asked in parts, as one phase."""
    return examine_phase(_total(parts))


def _total(windows: Sequence[Reading]) -> Reading:
    """All windows as one reading: sums, earliest start and latest end, every flag, the GPU's worst state."""
    first = windows[0]
    return Reading(
        started_at=min(w.started_at for w in windows),
        ended_at=max(w.ended_at for w in windows),
        duration_s=sum(w.duration_s for w in windows),
        cpu_energy_kwh=_sum(windows, lambda w: w.cpu_energy_kwh),
        gpu_energy_kwh=_sum(windows, lambda w: w.gpu_energy_kwh),
        ram_energy_kwh=_sum(windows, lambda w: w.ram_energy_kwh),
        cpu_method=first.cpu_method,
        gpu_method=first.gpu_method,
        ram_method=first.ram_method,
        flags=tuple(sorted({flag for w in windows for flag in w.flags})),
        own_cpu_s=_sum(windows, lambda w: w.own_cpu_s),
        foreign_cpu_s=_sum(windows, lambda w: w.foreign_cpu_s),
        foreign_programs=max(windows, key=lambda w: w.foreign_cpu_s or 0.0).foreign_programs,
        gpu_state=_worst([w.gpu_state for w in windows]),
    )


def _sum(windows: Sequence[Reading], component: Callable[[Reading], float | None]) -> float | None:
    """The sum over all windows; None where it is unknown in one of them."""
    values = [component(window) for window in windows]
    return None if any(value is None for value in values) else sum(value for value in values if value is not None)


def _worst(states: Sequence[GpuState]) -> GpuState:
    """The highest temperature, the lowest clock and limit, and whether it was ever throttled, as far as known."""
    return GpuState(
        temperature_c=max((s.temperature_c for s in states if s.temperature_c is not None), default=None),
        sm_clock_mhz=min((s.sm_clock_mhz for s in states if s.sm_clock_mhz is not None), default=None),
        power_limit_w=min((s.power_limit_w for s in states if s.power_limit_w is not None), default=None),
        throttled=max((s.throttled for s in states if s.throttled is not None), default=None),
    )
