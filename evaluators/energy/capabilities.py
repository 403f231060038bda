"""What would be measured on this machine, and what only modelled, for `evalwatt doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluators.energy.grid import grid
from evaluators.energy.rapl import POWERCAP, measures_processor, packages
from evaluators.energy.windows import OWN_TIME, memory_method


@dataclass(frozen=True, slots=True)
class EnergyCapabilities:
    """Method and source of each component here, the assumed grid, and how to improve the methods."""

    cpu_method: str
    cpu_source: str
    gpu_method: str
    gpu_source: str
    ram_method: str
    ram_source: str
    boundary: str
    country_iso_code: str
    region: str | None
    grid_intensity_g_per_kwh: float
    grid_source: str
    remedies: tuple[str, ...]


def describe(
    meter: str,
    country_iso_code: str,
    region: str | None,
    grid_intensity_g_per_kwh: float | None,
    rapl: Path = POWERCAP,
) -> EnergyCapabilities:
    """Look at the sensors that the meter would read, without starting it. Raises ValueError for an unknown grid."""
    assumed = grid(country_iso_code, region, grid_intensity_g_per_kwh)
    remedies: list[str] = []
    if meter == "none":
        cpu = gpu = ram = ("absent", "the catalogue's `meter: none` measures durations only")
        boundary = "none"
    else:
        cpu, gpu = _cpu(rapl, remedies), _gpu(remedies)
        ram = _ram(cpu_method=cpu[0])
        boundary = "cpu+ram" if gpu[0] == "absent" else "gpu+cpu+ram"
    return EnergyCapabilities(
        *cpu,
        *gpu,
        *ram,
        boundary=boundary,
        country_iso_code=assumed.country_iso_code,
        region=assumed.region,
        grid_intensity_g_per_kwh=assumed.intensity_g_per_kwh,
        grid_source=assumed.source,
        remedies=tuple(remedies),
    )


def _cpu(rapl: Path, remedies: list[str]) -> tuple[str, str]:
    found = packages(rapl)
    if measures_processor(rapl):
        return "measured", f"RAPL: {', '.join(found)} under {rapl}"
    if not found:
        return OWN_TIME, "the evaluator's own CPU time x rated power (no RAPL package here; usual in virtual machines)"
    unreadable = ", ".join(name for name, readable in found.items() if not readable)
    remedies.append(f"RAPL cannot be read here for {unreadable}: sudo chmod a+r {rapl}/intel-rapl:*/energy_uj")
    return OWN_TIME, f"the evaluator's own CPU time x rated power (RAPL is there, but cannot be read for {unreadable})"


def _gpu(remedies: list[str]) -> tuple[str, str]:
    import pynvml

    from evaluators.energy import nvml

    try:
        found = nvml.devices()
    except pynvml.NVMLError as error:
        if Path("/proc/driver/nvidia").exists():
            remedies.append(f"an NVIDIA driver is loaded but NVML fails ({error}): reinstall the driver's libraries")
        return "absent", f"no NVIDIA device: {error}"
    if not found:
        return "absent", "NVML answers, but lists no device"
    names, methods = ", ".join(name for name, _ in found), {method for _, method in found}
    if "absent" in methods:
        remedies.append("a GPU is split into MIG slices, and NVML has no energy for each: evaluate on a whole GPU")
    if methods == {"absent"}:
        return "absent", f"NVML: {names}, split into MIG slices"
    if "integrated" in methods:
        return "integrated", f"codecarbon: sampled power, because there is no energy counter ({names})"
    return "measured", f"NVML: {names}"


def _ram(cpu_method: str) -> tuple[str, str]:
    how = "by the evaluator's share of the machine's CPU time" if cpu_method == OWN_TIME else "from the installed size"
    return memory_method(cpu_method), f"codecarbon: watts per memory module, {how}"
