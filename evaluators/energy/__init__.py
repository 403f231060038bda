"""Energy: meters, windows and the rules that decide whether a figure can be trusted.

    windows.py        a meter's readings, one for each window
    ledger.py         the windows that make up the phases of a run and of its tasks
    quality.py        the rules of docs/measurement.md for a window and for a phase
    short_windows.py  which of a task's energies count where its windows are short
    codecarbon.py     the default meter
    cpu_time.py       own and foreign CPU time in a window, and a processor's energy modelled from it
    rapl.py           the CPU's energy counters, to detect resets
    nvml.py           NVIDIA GPUs: energy counter, other processes on the device, clocks and temperature
    replay.py         a meter that replays given readings, for tests
    none.py           the meter that measures nothing and says so
    grid.py           grams of CO2e per kWh, offline
    capabilities.py   what would be measured on this machine, and what only modelled

Carbon is not computed here: the landing has kWh, and SQL derives kilograms from them.
"""

from evaluators.energy.capabilities import EnergyCapabilities, describe
from evaluators.energy.ledger import Ledger, sum_of
from evaluators.energy.windows import OWN_TIME, Meter, MeterFailed, Reading

__all__ = [
    "OWN_TIME",
    "EnergyCapabilities",
    "Ledger",
    "Meter",
    "MeterFailed",
    "Reading",
    "describe",
    "make_meter",
    "sum_of",
]


def make_meter(name: str, *, country_iso_code: str, gpu_uuid: str | None = None) -> Meter:
    """The meter of that name. `gpu_uuid` is the NVIDIA GPU that the evaluation uses, None for none.

    Raises ValueError for an unknown name, MeterFailed where the meter cannot start.
    """
    if name == "codecarbon":
        from evaluators.energy.codecarbon import CodecarbonMeter

        return CodecarbonMeter(country_iso_code=country_iso_code, gpu_uuid=gpu_uuid)
    if name == "none":
        from evaluators.energy.none import NoMeter

        return NoMeter()
    raise ValueError(f"unknown meter {name!r}; known: codecarbon, none")
