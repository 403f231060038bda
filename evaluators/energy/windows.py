"""Windows: a meter's reading for a stretch of time, and the ledger that assigns readings to phases.

Belongs here: the meter's protocol, readings, and adding up the windows of one phase. Does not belong here: the rules
that turn a doubtful reading into NULL (`quality`), or a meter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

# The method of processor and memory without a sensor: modelled from the evaluator's own CPU time.
OWN_TIME = "modelled_own_time"


def memory_method(cpu_method: str) -> str:
    """How the memory is modelled: from own CPU time where the processor is, else by the clock for the whole machine."""
    return OWN_TIME if cpu_method == OWN_TIME else "modelled"


class MeterFailed(ValueError):
    """The meter cannot work at all; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """The GPU's state at a window's end; None without a GPU, or where it does not report the value."""

    temperature_c: float | None = None
    sm_clock_mhz: float | None = None
    power_limit_w: float | None = None  # the enforced limit
    throttled: bool | None = None  # by heat or by the board, not by its power limit


@dataclass(frozen=True, slots=True)
class Reading:
    """One window as the meter saw it. Energies in kWh; None means unknown, never zero."""

    started_at: datetime
    ended_at: datetime
    duration_s: float
    cpu_energy_kwh: float | None
    gpu_energy_kwh: float | None
    ram_energy_kwh: float | None
    cpu_method: str
    gpu_method: str
    ram_method: str
    flags: tuple[str, ...] = ()
    own_cpu_s: float | None = None  # CPU time of this process and its children
    foreign_cpu_s: float | None = None  # CPU time of every other process of the machine
    foreign_programs: str | None = None  # the ones that took most of it, with their shares of the machine's CPU time
    gpu_state: GpuState = GpuState()

    @property
    def boundary(self) -> str:
        """The components that the meter covers here, such as `cpu+ram`; `none` where it covers none."""
        methods = {"gpu": self.gpu_method, "cpu": self.cpu_method, "ram": self.ram_method}
        return "+".join(name for name, method in methods.items() if method != "absent") or "none"

    @property
    def energy_kwh(self) -> float | None:
        """The sum over the boundary's components; None where one of them is unknown, or none is covered."""
        parts = [
            energy
            for energy, method in (
                (self.gpu_energy_kwh, self.gpu_method),
                (self.cpu_energy_kwh, self.cpu_method),
                (self.ram_energy_kwh, self.ram_method),
            )
            if method != "absent"
        ]
        if not parts or any(part is None for part in parts):
            return None
        return sum(part for part in parts if part is not None)


class Meter(Protocol):
    """Measures one window at a time; windows do not nest."""

    name: str
    version: str
    cpu_method: str  # how it obtains each energy, known before the first window; `absent` where it obtains none
    gpu_method: str

    def start(self) -> None:
        """Open a window."""

    def stop(self) -> Reading:
        """Close the window. Doubts are flags and NULLs in the reading, not exceptions."""

    def watts_now(self) -> float | None:
        """Power since the last call, for display; None where it is unknown."""

    def energy_now(self) -> float | None:
        """kWh of the open window until now, unexamined; None where it is unknown."""

    def close(self) -> None:
        """Release the sensors."""


@dataclass(slots=True)
class PhaseEnergy:
    """The windows of one phase of one task, added up."""

    readings: list[Reading] = field(default_factory=list)

    def total(self) -> Reading:
        """All windows as one reading: sums, first start and last end, every flag, the GPU's worst state.

        Raises ValueError without any window.
        """
        if not self.readings:
            raise ValueError("the phase has no window")
        first, last = self.readings[0], self.readings[-1]
        return Reading(
            started_at=first.started_at,
            ended_at=last.ended_at,
            duration_s=sum(r.duration_s for r in self.readings),
            cpu_energy_kwh=_sum(self.readings, lambda r: r.cpu_energy_kwh),
            gpu_energy_kwh=_sum(self.readings, lambda r: r.gpu_energy_kwh),
            ram_energy_kwh=_sum(self.readings, lambda r: r.ram_energy_kwh),
            cpu_method=first.cpu_method,
            gpu_method=first.gpu_method,
            ram_method=first.ram_method,
            flags=tuple(sorted({flag for r in self.readings for flag in r.flags})),
            own_cpu_s=_sum(self.readings, lambda r: r.own_cpu_s),
            foreign_cpu_s=_sum(self.readings, lambda r: r.foreign_cpu_s),
            foreign_programs=max(self.readings, key=lambda r: r.foreign_cpu_s or 0.0).foreign_programs,
            gpu_state=_worst([r.gpu_state for r in self.readings]),
        )


def _sum(readings: list[Reading], component: Callable[[Reading], float | None]) -> float | None:
    """The sum over all windows; None where it is unknown in one of them."""
    values = [component(reading) for reading in readings]
    return None if any(value is None for value in values) else sum(value for value in values if value is not None)


def _worst(states: list[GpuState]) -> GpuState:
    """The highest temperature, the lowest clock and limit, and whether it was ever throttled, as far as known."""
    return GpuState(
        temperature_c=max((s.temperature_c for s in states if s.temperature_c is not None), default=None),
        sm_clock_mhz=min((s.sm_clock_mhz for s in states if s.sm_clock_mhz is not None), default=None),
        power_limit_w=min((s.power_limit_w for s in states if s.power_limit_w is not None), default=None),
        throttled=max((s.throttled for s in states if s.throttled is not None), default=None),
    )


class Ledger:
    """Assigns the meter's windows to phases: one phase is open at a time, and all of it is metered."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._open: str | None = None
        self._phases: dict[str, PhaseEnergy] = {}

    def switch(self, phase: str | None) -> None:
        """Close the open window, if any, and open one for `phase`; None opens none."""
        if self._open is not None:
            self._phases.setdefault(self._open, PhaseEnergy()).readings.append(self._meter.stop())
        self._open = phase
        if phase is not None:
            self._meter.start()

    def energy_now(self) -> float | None:
        """kWh of all unsettled windows, including the open one; None where it is unknown."""
        closed = [reading.energy_kwh for phase in self._phases.values() for reading in phase.readings]
        energies = [*closed, self._meter.energy_now()] if self._open is not None else closed
        known = [energy for energy in energies if energy is not None]
        return sum(known) if len(known) == len(energies) else None

    def settle(self) -> dict[str, Reading]:
        """Close the open window and return every phase's total; the ledger is empty afterwards."""
        self.switch(None)
        phases, self._phases = self._phases, {}
        return {name: phase.total() for name, phase in phases.items()}
