"""20. GPU absent, NVML failing: NULL with its method. codecarbon alone records 0 W there.

NVML is exchanged at its boundary, the module `pynvml`, for a library whose devices can fail; all else is real.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from codecarbon.core import gpu, gpu_nvidia, hardware_cache

from evaluators import machine
from evaluators.energy import Ledger, describe, nvml, quality
from evaluators.energy.codecarbon import CodecarbonMeter
from evaluators.energy.nvml import Gpu, GpuWindow
from evaluators.energy.windows import GpuState
from evaluators.records import PHASES
from tests.support.evaluations import evaluate_all, rows, save_workplace

LOST = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
NOT_HERE = 2**22 + 1  # no process has a number as high
NOT_SUPPORTED = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@dataclass
class Device:
    """A device that draws `watts`, unless it fails. `shown`: an energy counter that shows this, in mJ."""

    uuid: str = "GPU-0"
    watts: float = 200.0
    error: Exception | None = None
    counts: bool = True
    shown: int | None = None
    mig: bool = False
    processes: list[int] = field(default_factory=lambda: [os.getpid()])
    reasons: int = pynvml.nvmlClocksThrottleReasonSwPowerCap
    begun: float = field(default_factory=time.perf_counter)

    def read(self, value: Any) -> Any:
        if self.error is not None:
            raise self.error
        return value


@dataclass
class Library:
    """What is used of `pynvml`. `error`: the library itself does not work."""

    devices: list[Device]
    error: Exception | None = None
    slices: tuple[str, ...] = ()

    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_NotFound = pynvml.NVMLError_NotFound
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU
    NVML_CLOCK_SM = pynvml.NVML_CLOCK_SM

    def nvmlInit(self) -> None:
        if self.error is not None:
            raise self.error

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:
        return self.devices[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Device:
        found = [device for device in self.devices if device.uuid == uuid]
        if uuid in self.slices:
            found = [Device(uuid)]
        if not found:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found[0]

    def nvmlDeviceGetIndex(self, device: Device) -> int:
        return device.read(self.devices.index(device))

    def nvmlDeviceGetMigMode(self, device: Device) -> list[int]:
        if not device.mig:
            raise NOT_SUPPORTED
        return [1, 1]

    def nvmlDeviceGetComputeRunningProcesses(self, device: Device) -> list[SimpleNamespace]:
        return device.read([SimpleNamespace(pid=pid) for pid in device.processes])

    def nvmlDeviceGetTemperature(self, device: Device, sensor: int) -> int:
        return device.read(61)

    def nvmlDeviceGetClockInfo(self, device: Device, clock: int) -> int:
        return device.read(1980)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, device: Device) -> int:
        return device.read(device.reasons)

    def nvmlDeviceGetName(self, device: Device) -> str:
        return device.read("a GPU")

    def nvmlDeviceGetUUID(self, device: Device) -> str:
        return device.read(device.uuid)

    def nvmlDeviceGetTotalEnergyConsumption(self, device: Device) -> int:
        if not device.counts:
            raise NOT_SUPPORTED
        drawn = int(1000 * device.watts * (time.perf_counter() - device.begun))
        return device.read(drawn if device.shown is None else device.shown)

    def nvmlDeviceGetPowerUsage(self, device: Device) -> int:
        return device.read(int(1000 * device.watts))

    def nvmlDeviceGetEnforcedPowerLimit(self, device: Device) -> int:
        return device.read(300_000)

    def nvmlDeviceGetMemoryInfo(self, device: Device) -> SimpleNamespace:
        return device.read(SimpleNamespace(total=2**34, free=2**34, used=0))

    def nvmlDeviceGetUtilizationRates(self, device: Device) -> SimpleNamespace:
        return device.read(SimpleNamespace(gpu=50))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library([Device()])
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(nvml, "pynvml", library)
    monkeypatch.setattr(gpu_nvidia, "pynvml", library)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", True)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: True)
    monkeypatch.setattr(hardware_cache, "_plans", {})  # what it found before, without this library
    return library


@pytest.fixture
def meter(library: Library) -> Iterator[CodecarbonMeter]:
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid="GPU-0")
    yield meter
    meter.close()


def window(device: Device, joules: float) -> GpuWindow:
    """A window in which the device's counter moves by so much."""
    device.shown = 10**9 if device.shown is None else device.shown
    gpu = Gpu(device.uuid)
    gpu.start()
    device.shown += round(1000 * joules)
    found = gpu.stop()
    gpu.close()
    return found


def test_a_device_that_works_is_measured_by_its_counter_at_the_windows_edges(
    meter: CodecarbonMeter, library: Library
) -> None:
    library.devices[0].shown = 5000
    meter.start()
    library.devices[0].shown += 3600
    reading = meter.stop()
    assert (reading.gpu_method, reading.boundary) == ("measured", "gpu+cpu+ram")
    assert reading.gpu_energy_kwh == pytest.approx(1e-6)
    assert reading.flags == ()


def test_the_device_is_found_by_its_uuid_wherever_it_is_in_the_machine(library: Library) -> None:
    """CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER change CUDA's numbers, and never a UUID."""
    library.devices[0].shown = 0
    library.devices.append(Device("GPU-1", shown=5000))
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid="GPU-1")
    try:
        meter.start()
        library.devices[1].shown = 5000 + 3600
        reading = meter.stop()
        watched = meter._tracker._gpu_ids  # type: ignore[attr-defined]
    finally:
        meter.close()
    assert reading.gpu_energy_kwh == pytest.approx(1e-6)
    assert watched == [1], "codecarbon looks at the same device"


def test_a_lost_device_is_null_where_codecarbon_says_zero(meter: CodecarbonMeter, library: Library) -> None:
    library.devices[0].error = LOST
    meter.start()
    said = meter._tracker._total_gpu_energy.kWh
    reading = meter.stop()
    assert meter._tracker._total_gpu_energy.kWh == said, "codecarbon counts 0 for a device that it cannot read"
    assert (reading.gpu_method, reading.gpu_energy_kwh, reading.energy_kwh) == ("measured", None, None)
    assert reading.cpu_energy_kwh is not None
    assert "gpu_lost" in reading.flags


def test_a_device_that_is_lost_inside_a_window_is_null(meter: CodecarbonMeter, library: Library) -> None:
    meter.start()
    library.devices[0].error = LOST
    reading = meter.stop()
    assert (reading.gpu_energy_kwh, reading.energy_kwh) == (None, None)
    assert "gpu_lost" in reading.flags
    assert reading.gpu_state == GpuState()
    library.devices[0].error = None
    meter.start()
    assert meter.stop().gpu_energy_kwh is not None, "it is back, and so is its energy"


def test_a_counter_that_was_reset_is_null(meter: CodecarbonMeter, library: Library) -> None:
    library.devices[0].shown = 5000
    meter.start()
    library.devices[0].shown = 20
    reading = meter.stop()
    assert (reading.gpu_energy_kwh, reading.energy_kwh) == (None, None)
    assert "negative" in reading.flags


def test_a_counter_that_stands_still_is_null(
    meter: CodecarbonMeter, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "SHORTEST_WINDOW_S", 0.0)
    library.devices[0].shown = 5000
    meter.start()
    reading = meter.stop()
    assert (reading.gpu_energy_kwh, reading.energy_kwh) == (None, None)
    assert "stuck" in reading.flags


def test_a_window_between_two_updates_of_the_counter_is_null_and_not_stuck(
    meter: CodecarbonMeter, library: Library
) -> None:
    library.devices[0].shown = 5000
    ledger = Ledger(meter)
    ledger.switch("inference")
    found = ledger.settle()["inference"]
    assert (found.gpu_energy_kwh, found.energy_kwh, found.flags) == (None, None, ("too_short",))
    # It is part of a longer phase in which the counter moves.
    for moved in (0, 3600):
        ledger.switch("inference")
        library.devices[0].shown += moved
    assert ledger.settle()["inference"].gpu_energy_kwh == pytest.approx(1e-6)


def test_what_codecarbon_has_not_seen_is_flagged(meter: CodecarbonMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "GPU_SLACK_S", 0.0)
    (seen,) = [part for part in meter._tracker._hardware if type(part).__name__ == "GPU"]
    seen.devices.devices[0].handle = Device(error=LOST)
    meter.start()
    reading = meter.stop()
    assert reading.gpu_energy_kwh is not None
    assert "gpu_mismatch" in reading.flags


def test_a_device_without_a_counter_is_integrated_from_its_power(library: Library) -> None:
    library.devices[0].counts = False
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid="GPU-0")
    try:
        meter.start()
        known = meter.stop()
        library.devices[0].error = LOST
        meter.start()
        library.devices[0].error = None
        lost = meter.stop()
    finally:
        meter.close()
    assert (known.gpu_method, known.boundary) == ("integrated", "gpu+cpu+ram")
    assert known.gpu_energy_kwh is not None
    assert known.gpu_energy_kwh > 0
    assert meter._tracker._total_gpu_energy.kWh > known.gpu_energy_kwh, "codecarbon adds up what it could sample"
    assert (lost.gpu_method, lost.gpu_energy_kwh, lost.energy_kwh) == ("integrated", None, None)
    assert "gpu_lost" in lost.flags


@pytest.mark.parametrize("counts", [True, False])
def test_without_nvidia_smi_a_counter_is_still_read(
    library: Library, monkeypatch: pytest.MonkeyPatch, counts: bool
) -> None:
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: False)
    monkeypatch.setattr(quality, "GPU_SLACK_S", 0.0)
    library.devices[0].counts = counts
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid="GPU-0")
    try:
        meter.start()
        reading = meter.stop()
    finally:
        meter.close()
    assert reading.gpu_method == ("measured" if counts else "absent")
    assert (reading.gpu_energy_kwh is not None) == counts
    assert "gpu_mismatch" not in reading.flags, "there is nothing to compare with"
    assert ("gpu_unmetered" in reading.flags) == (not counts), "codecarbon samples no power without nvidia-smi"


@pytest.mark.parametrize("uuid", ["GPU-0", "MIG-7"])
def test_a_slice_has_no_energy_of_its_own(library: Library, uuid: str) -> None:
    """CUDA calls a slice by its own UUID or by its GPU's."""
    library.devices[0].mig, library.slices = True, ("MIG-7",)
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid=uuid.replace("MIG-", "GPU-"))
    try:
        meter.start()
        reading = meter.stop()
    finally:
        meter.close()
    assert (reading.gpu_method, reading.gpu_energy_kwh, reading.boundary) == ("absent", None, "cpu+ram")
    assert "gpu_slice" in reading.flags


@pytest.mark.parametrize(
    ("listed", "shared"),
    [
        ([os.getpid()], False),
        ([], False),
        ([os.getpid(), os.getppid()], True),
        ([os.getppid()], True),
        ([NOT_HERE], False),  # in a container NVML gives this process the number that the host does
        ([NOT_HERE, NOT_HERE + 1], True),
        ([os.getpid(), NOT_HERE], True),
    ],
)
def test_others_on_the_device_are_flagged(library: Library, listed: list[int], shared: bool) -> None:
    library.devices[0].processes = listed
    found = window(library.devices[0], joules=100)
    assert found.flags == (("shared_device",) if shared else ())
    assert found.energy_kwh is not None


def test_others_that_leave_the_device_inside_the_window_are_flagged(library: Library) -> None:
    gpu, library.devices[0].processes = Gpu("GPU-0"), [os.getppid()]
    gpu.start()
    library.devices[0].processes = []
    assert "shared_device" in gpu.stop().flags


def test_a_child_on_the_device_is_no_other(library: Library) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        library.devices[0].processes = [os.getpid(), child.pid]
        found = window(library.devices[0], joules=100)
        child.communicate(b"\n")
    assert found.flags == ()


@pytest.mark.parametrize(
    ("reasons", "throttled"),
    [
        (pynvml.nvmlClocksThrottleReasonSwPowerCap, False),
        (pynvml.nvmlClocksThrottleReasonGpuIdle, False),
        (pynvml.nvmlClocksThrottleReasonSwThermalSlowdown, True),
        (pynvml.nvmlClocksThrottleReasonHwSlowdown | pynvml.nvmlClocksThrottleReasonSwPowerCap, True),
    ],
)
def test_the_state_of_the_device_goes_with_the_window(library: Library, reasons: int, throttled: bool) -> None:
    library.devices[0].reasons = reasons
    assert window(library.devices[0], joules=100).state == GpuState(61, 1980, 300, throttled)


@pytest.mark.parametrize("uuid", ["GPU-0", None])
def test_without_nvml_the_method_is_absent_and_a_model_on_a_gpu_is_flagged(uuid: str | None) -> None:
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid=uuid)
    try:
        meter.start()
        reading = meter.stop()
    finally:
        meter.close()
    assert (reading.gpu_method, reading.gpu_energy_kwh, reading.boundary) == ("absent", None, "cpu+ram")
    assert ("gpu_unmetered" in reading.flags) == (uuid is not None)


def test_a_device_that_nvml_does_not_list_is_flagged(library: Library) -> None:
    gpu = Gpu("GPU-9")
    gpu.start()
    assert gpu.stop() == GpuWindow(None, ("gpu_unmetered",), GpuState())


def test_a_run_lands_its_gpus_energy_and_state(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.devices[0].reasons = pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    monkeypatch.setattr(machine, "describe_device", lambda wanted: machine.Device("cpu", "a GPU", "GPU-0", None))
    save_workplace(tmp_path, "tiny_one", meter="codecarbon")
    (summary,) = evaluate_all(tmp_path)
    assert summary.status == "completed"
    landed = rows(tmp_path, "task_emissions")
    assert {row["phase"] for row in landed} == set(PHASES)
    for row in landed:
        assert (row["gpu_method"], row["boundary"]) == ("measured", "gpu+cpu+ram")
        assert row["gpu_energy_kwh"] > 0
        state = [row[f"gpu_{name}"] for name in ("temperature_c", "sm_clock_mhz", "power_limit_w", "throttled")]
        assert state == [61.0, 1980.0, 300.0, True]


def test_doctor_says_beforehand_what_is_there(library: Library) -> None:
    def found() -> tuple[str, str]:
        capabilities = describe("codecarbon", "USA", None, None)
        return capabilities.gpu_method, capabilities.gpu_source

    assert found() == ("measured", "NVML: a GPU")
    library.devices[0].counts = False
    assert found()[0] == "integrated"
    library.devices[0].mig = True
    assert found()[0] == "absent"
    assert any("whole GPU" in remedy for remedy in describe("codecarbon", "USA", None, None).remedies)
    library.devices.clear()
    assert found() == ("absent", "NVML answers, but lists no device")
    library.error = pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    method, source = found()
    assert method == "absent"
    assert "Driver Not Loaded" in source
