"""The default meter: codecarbon's offline tracker, one per process, behind our own checks.

codecarbon turns exceptions into log lines and a missing counter into 0 kWh, so `quality.examine` checks its readings
before anything else uses them. Its carbon is ignored: SQL derives kg. For a processor without a sensor, codecarbon's
model of it follows the load of the whole machine and its model of the memory follows the clock; both are ignored too.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple

from evaluators.energy import quality, rapl
from evaluators.energy.cpu_time import CpuTime, energy_kwh
from evaluators.energy.nvml import Gpu, GpuWindow
from evaluators.energy.windows import OWN_TIME, MeterFailed, Reading, memory_method

# codecarbon's names for how it reads a CPU, as our methods.
_CPU_METHODS = {
    "intel_rapl": "measured",
    "windows_emi": "measured",
    "intel_power_gadget": "integrated",
    "cpu_load": OWN_TIME,
    "constant": OWN_TIME,
}


class _Totals(NamedTuple):
    """codecarbon's running totals in kWh."""

    cpu: float
    gpu: float
    ram: float


class CodecarbonMeter:
    """Meters the whole machine. `gpu_uuid`: the NVIDIA GPU that the evaluation uses, None for none."""

    name = "codecarbon"

    def __init__(self, *, country_iso_code: str, gpu_uuid: str | None) -> None:
        from codecarbon import OfflineEmissionsTracker

        self.version = version("codecarbon")
        self._gpu = Gpu(gpu_uuid)
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        self._tracker = OfflineEmissionsTracker(
            country_iso_code=country_iso_code,
            gpu_ids=None if self._gpu.index is None else [self._gpu.index],
            tracking_mode="machine",
            measure_power_secs=1,
            force_mode_cpu_load=not rapl.measures_processor(),  # else part of a processor would count as measured
            output_methods=[],  # nothing is written, nothing is sent
            allow_multiple_runs=True,  # our own file lock allows one evaluation at a time, across users too
            pue=1,  # PUE is a column, applied in SQL
            log_level="critical",
        )
        self._cpu_time = CpuTime()
        self._windows = 0
        self._started_at = datetime.now(UTC)
        self._started = self._last_look = self._last_flush = 0.0
        self._last_energy_kwh = 0.0
        self._cpu_power_w = self._ram_power_w = 0.0
        self.cpu_method = self.ram_method = "absent"  # until the hardware is detected
        # codecarbon takes seconds to detect the hardware in the first window, which no phase should pay for.
        self.start()
        self._tracker.stop_task()
        hardware = {type(part).__name__: part for part in self._tracker._hardware}
        if not hardware:
            raise MeterFailed("codecarbon found no hardware to meter; set `meter: none` in the catalogue's settings")
        self.cpu_method, self.ram_method = _methods(hardware)
        self._cpu_power_w = float(hardware["CPU"]._tdp) if self.cpu_method == OWN_TIME else 0.0
        self._ram_power_w = float(hardware["RAM"].total_power().W) if self.ram_method == OWN_TIME else 0.0
        self._sees_gpu = "GPU" in hardware
        if self._gpu.method == "integrated" and not self._sees_gpu:
            self._gpu.method = "absent"  # codecarbon samples no power without nvidia-smi
        self.gpu_method = self._gpu.method

    def start(self) -> None:
        self._windows += 1
        self._rapl = rapl.counters()
        self._gpu.start()
        self._cpu_time.start()
        self._started_at = datetime.now(UTC)
        self._started = self._last_look = self._last_flush = time.perf_counter()
        self._tracker.start_task(f"window {self._windows}")
        self._at_start, self._last_energy_kwh = self._totals(), 0.0

    def stop(self) -> Reading:
        duration_s = time.perf_counter() - self._started
        gpu = self._gpu.stop()
        self._cpu_time.stop()
        data = self._tracker.stop_task()
        cpu_time = self._cpu_time.window(duration_s)
        failed: str | None = None
        if data is None:
            failed = "meter_failed"
        elif not quality.agrees(duration_s, data.duration):
            failed = "clock_mismatch"
        else:
            gpu = self._beside_codecarbon(gpu, data.gpu_energy, duration_s)
        # A reset of RAPL spoils the processor's figure, not the GPU's.
        went_back = self.cpu_method == "measured" and rapl.went_back(self._rapl, rapl.counters())
        return quality.examine(
            Reading(
                started_at=self._started_at,
                ended_at=datetime.now(UTC),
                duration_s=duration_s,
                cpu_energy_kwh=None if failed or went_back else self._of_cpu(data.cpu_energy, cpu_time.own_s),
                gpu_energy_kwh=None if failed else gpu.energy_kwh,
                ram_energy_kwh=None if failed else self._of_ram(data.ram_energy, cpu_time.own_s),
                cpu_method=self.cpu_method,
                gpu_method=self.gpu_method,
                ram_method=self.ram_method,
                flags=(*gpu.flags, *([failed] if failed else []), *(["negative"] if went_back else [])),
                own_cpu_s=cpu_time.own_s,
                foreign_cpu_s=cpu_time.foreign_s,
                foreign_programs=cpu_time.programs,
                gpu_state=gpu.state,
            )
        )

    def _beside_codecarbon(self, gpu: GpuWindow, codecarbon_kwh: float, duration_s: float) -> GpuWindow:
        """The window with codecarbon's figure for the GPU: used without a counter, and else to check the counter."""
        if self.gpu_method == "integrated" and "gpu_lost" not in gpu.flags:
            return dataclasses.replace(gpu, energy_kwh=codecarbon_kwh)
        counted_kwh = gpu.energy_kwh
        if not counted_kwh or not self._sees_gpu or quality.gpu_agrees(counted_kwh, codecarbon_kwh, duration_s):
            return gpu
        return dataclasses.replace(gpu, flags=(*gpu.flags, "gpu_mismatch"))

    def _of_cpu(self, codecarbon_kwh: float, own_cpu_s: float) -> float:
        return energy_kwh(self._cpu_power_w, own_cpu_s) if self.cpu_method == OWN_TIME else codecarbon_kwh

    def _of_ram(self, codecarbon_kwh: float, own_cpu_s: float) -> float:
        return energy_kwh(self._ram_power_w, own_cpu_s) if self.ram_method == OWN_TIME else codecarbon_kwh

    def _totals(self) -> _Totals:
        tracker = self._tracker
        return _Totals(tracker._total_cpu_energy.kWh, tracker._total_gpu_energy.kWh, tracker._total_ram_energy.kWh)

    def _window_kwh(self) -> float:
        """kWh of the open window until now."""
        cpu, gpu, ram = (now - then for now, then in zip(self._totals(), self._at_start, strict=True))
        own_cpu_s = self._cpu_time.own_s()
        return self._of_cpu(cpu, own_cpu_s) + gpu + self._of_ram(ram, own_cpu_s)

    def watts_now(self) -> float | None:
        now = time.perf_counter()
        elapsed_s = now - self._last_look
        if elapsed_s < 1:
            return None
        self._tracker.flush()  # brings the running totals up to date
        window_kwh = self._window_kwh()
        watts = (window_kwh - self._last_energy_kwh) * 3.6e6 / elapsed_s
        self._last_look, self._last_energy_kwh = now, window_kwh
        return watts

    def energy_now(self) -> float | None:
        now = time.perf_counter()
        if now - self._last_flush >= 1:
            self._tracker.flush()
            self._last_flush = now
        return self._window_kwh()

    def close(self) -> None:
        self._tracker.stop()
        self._gpu.close()


def _methods(hardware: dict[str, Any]) -> tuple[str, str]:
    """The methods of CPU and RAM."""
    cpu = hardware.get("CPU")
    cpu_method = _CPU_METHODS[cpu._mode] if cpu is not None else "absent"
    if cpu is not None and cpu._mode == "intel_rapl" and not rapl.measures_processor():
        cpu_method = "absent"  # codecarbon has no rated power for this processor, which a model would need
    if "Raspberry" in hardware or "AppleSiliconChip" in hardware:
        cpu_method = "integrated"
    return cpu_method, memory_method(cpu_method) if "RAM" in hardware else "absent"
