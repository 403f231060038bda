"""20. GPU absent, NVML failing: NULL with its method. codecarbon alone records 0 W there.

NVML is exchanged at its boundary, the module `pynvml`, for a library whose devices can fail; all else is real.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from codecarbon.core import gpu, gpu_nvidia, hardware_cache

from evaluators.energy import describe
from evaluators.energy.codecarbon import CodecarbonMeter

LOST = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)


@dataclass
class Device:
    """A device that draws `watts`, unless it fails."""

    uuid: str = "GPU-0"
    watts: float = 200.0
    error: Exception | None = None
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

    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported

    def nvmlInit(self) -> None:
        if self.error is not None:
            raise self.error

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:
        return self.devices[index]

    def nvmlDeviceGetName(self, device: Device) -> str:
        return device.read("a GPU")

    def nvmlDeviceGetUUID(self, device: Device) -> str:
        return device.read(device.uuid)

    def nvmlDeviceGetTotalEnergyConsumption(self, device: Device) -> int:
        return device.read(int(1000 * device.watts * (time.perf_counter() - device.begun)))

    def nvmlDeviceGetPowerUsage(self, device: Device) -> int:
        return device.read(int(1000 * device.watts))

    def nvmlDeviceGetEnforcedPowerLimit(self, device: Device) -> int:
        return device.read(300_000)

    def nvmlDeviceGetMemoryInfo(self, device: Device) -> SimpleNamespace:
        return device.read(SimpleNamespace(total=2**34, free=2**34, used=0))

    def nvmlDeviceGetUtilizationRates(self, device: Device) -> SimpleNamespace:
        return device.read(SimpleNamespace(gpu=50))


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library([Device()])
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(gpu_nvidia, "pynvml", library)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", True)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: True)
    monkeypatch.setattr(hardware_cache, "_plans", {})  # what it found before, without this library
    return library


@pytest.fixture
def meter(nvml: Library) -> Iterator[CodecarbonMeter]:
    meter = CodecarbonMeter(country_iso_code="USA", gpu_ids=[0])
    yield meter
    meter.close()


def test_a_device_that_works_is_measured(meter: CodecarbonMeter) -> None:
    assert meter.gpu_method == "measured"
    meter.start()
    reading = meter.stop()
    assert reading.boundary == "gpu+cpu+ram"
    assert reading.gpu_energy_kwh == pytest.approx(200 * reading.duration_s / 3.6e6, rel=0.2)


def test_a_device_that_fails_is_null_with_its_method_where_codecarbon_says_zero(
    meter: CodecarbonMeter, nvml: Library
) -> None:
    nvml.devices[0].error = LOST
    meter.start()
    said = meter._tracker._total_gpu_energy.kWh
    reading = meter.stop()
    assert meter._tracker._total_gpu_energy.kWh == said, "codecarbon counts 0 for a device that it cannot read"
    assert (reading.gpu_method, reading.gpu_energy_kwh, reading.energy_kwh) == ("measured", None, None)
    assert reading.cpu_energy_kwh is not None
    assert "stuck" in reading.flags


def test_a_counter_that_stands_still_is_null(meter: CodecarbonMeter, nvml: Library) -> None:
    nvml.devices[0].watts = 0
    meter.start()
    meter.stop()
    meter.start()
    reading = meter.stop()
    assert (reading.gpu_energy_kwh, reading.energy_kwh) == (None, None)
    assert "stuck" in reading.flags


def test_without_a_device_the_method_is_absent() -> None:
    meter = CodecarbonMeter(country_iso_code="USA", gpu_ids=[0])
    try:
        meter.start()
        reading = meter.stop()
    finally:
        meter.close()
    assert (reading.gpu_method, reading.gpu_energy_kwh, reading.boundary) == ("absent", None, "cpu+ram")


def test_doctor_says_beforehand_what_is_there(nvml: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> tuple[str, str]:
        capabilities = describe("USA", None, None)
        return capabilities.gpu_method, capabilities.gpu_source

    assert found() == ("measured", "NVML: a GPU")
    nvml.devices.clear()
    assert found() == ("absent", "NVML answers, but lists no device")
    nvml.error = pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    method, source = found()
    assert method == "absent"
    assert "Driver Not Loaded" in source
