"""NVIDIA GPUs, read through NVML: energy counter at a window's edges, other processes on the device, the GPU's state.

Belongs here: NVML's readings. Does not belong here: whether a figure can be trusted (`quality`), or power sampled
within a window (`codecarbon`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import pynvml

from evaluators.energy.windows import GpuState

_KWH_PER_MJ = 1 / 3.6e9  # millijoules
# Throttled by heat or by the board. The power limit does not count, because a busy GPU runs at its limit.
_THROTTLED = (
    pynvml.nvmlClocksThrottleReasonHwSlowdown
    | pynvml.nvmlClocksThrottleReasonSwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
)


@dataclass(frozen=True, slots=True)
class GpuWindow:
    """One window of a GPU: kWh by its counter, None without one or where it could not be read, and the doubts."""

    energy_kwh: float | None
    flags: tuple[str, ...]
    state: GpuState


class Gpu:
    """The GPU that an evaluation uses, by CUDA's UUID, regardless of CUDA_VISIBLE_DEVICES; None for no GPU.

    `method` is `measured` with an energy counter, `integrated` without one, and `absent` where NVML does not know its
    energy: then every window has a flag that says why. `index` is its index among all devices of the machine, None
    where NVML does not know it.
    """

    def __init__(self, uuid: str | None) -> None:
        self.method = "absent"
        self.index: int | None = None
        self._doubts: tuple[str, ...] = ()
        self._begun: int | None = None
        self._shared = self._initialised = False
        if uuid is None:
            return
        self._doubts = ("gpu_unmetered",)
        try:
            pynvml.nvmlInit()
            self._initialised = True
            self._handle, is_slice = _find(uuid)
            if is_slice:
                self._doubts = ("gpu_slice",)
                return
            self.index, self.method = pynvml.nvmlDeviceGetIndex(self._handle), _method(self._handle)
        except pynvml.NVMLError:
            return

    def start(self) -> None:
        if self.method != "absent":
            self._shared = _is_shared(self._handle)
            self._begun = self._edge()

    def stop(self) -> GpuWindow:
        """The window since `start`."""
        if self.method == "absent":
            return GpuWindow(None, self._doubts, GpuState())
        ended = self._edge()
        flags = []
        if self._shared or _is_shared(self._handle):
            flags.append("shared_device")
        energy_kwh = None
        if self._begun is None or ended is None:
            flags.append("gpu_lost")
        elif self.method == "measured":
            energy_kwh = (ended - self._begun) * _KWH_PER_MJ
        return GpuWindow(energy_kwh, tuple(flags), _state(self._handle))

    def close(self) -> None:
        if self._initialised:
            pynvml.nvmlShutdown()
            self._initialised = False

    def _edge(self) -> int | None:
        """The energy counter in mJ; without a counter the power in mW, which shows that the GPU answers."""
        counted = self.method == "measured"
        read = pynvml.nvmlDeviceGetTotalEnergyConsumption if counted else pynvml.nvmlDeviceGetPowerUsage
        answer: int | None = _ask(read, self._handle)
        return answer


def devices() -> list[tuple[str, str]]:
    """Name and method of each device of the machine. Raises NVMLError where NVML does not work."""
    pynvml.nvmlInit()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return [(pynvml.nvmlDeviceGetName(h), "absent" if _is_cut(h) else _method(h)) for h in handles]
    finally:
        pynvml.nvmlShutdown()


def _find(uuid: str) -> tuple[Any, bool]:
    """The device's handle, and whether it is a MIG slice or split into some. Raises NVMLError where there is none."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError_NotFound:
        return pynvml.nvmlDeviceGetHandleByUUID(uuid.replace("GPU-", "MIG-", 1)), True
    return handle, _is_cut(handle)


def _is_cut(handle: Any) -> bool:
    """Whether the device is in MIG mode: its counter then adds up all slices, and a slice has none of its own."""
    current, _ = _ask(pynvml.nvmlDeviceGetMigMode, handle) or (0, 0)
    return bool(current)


def _method(handle: Any) -> str:
    try:
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError_NotSupported:
        return "integrated"
    return "measured"


def _is_shared(handle: Any) -> bool:
    """Whether a process computes on the device that is neither this one nor its child."""
    listed = {process.pid for process in _ask(pynvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()}
    own = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    foreign = listed - own
    # In a container NVML lists the host's process ids: one that does not exist here may be this process.
    may_be_own = not listed & own and any(not psutil.pid_exists(pid) for pid in foreign)
    return len(foreign) > may_be_own


def _state(handle: Any) -> GpuState:
    limit_mw = _ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    reasons = _ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    return GpuState(
        temperature_c=_ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        sm_clock_mhz=_ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        power_limit_w=None if limit_mw is None else limit_mw / 1000,
        throttled=None if reasons is None else bool(reasons & _THROTTLED),
    )


def _ask(question: Callable[..., Any], *arguments: Any) -> Any:
    """NVML's answer; None where the device gives none."""
    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return None
