"""Windows: a meter's reading for a stretch of time.

Belongs here: the meter's protocol, and readings. Does not belong here: a meter, the phases that windows belong to
(`ledger`), or the rules that turn a doubtful reading into NULL (`quality`).
"""

from __future__ import annotations

from dataclasses import dataclass
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
