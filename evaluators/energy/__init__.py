"""Energy: meters, windows and the rules that decide whether a figure may be believed.

    windows.py        what a meter answers, and the phases of a run that are cut into windows
    quality.py        the rules of docs/measurement.md on one window
    short_windows.py  which of a task's energies count where its windows are short
    codecarbon.py     the default meter
    cpu_time.py       whose CPU time a window was, and a processor's energy modelled from it
    rapl.py           the CPU's energy counters, to see that they did not go back
    nvml.py           NVIDIA GPUs: energy counter, who shares them, clocks and temperature
    replay.py         a meter that replays given readings, for tests
    none.py           the meter that measures nothing and says so
    grid.py           grams of CO2e per kWh, offline
    capabilities.py   what would be measured on this machine, and what only modelled

Carbon is not computed here: kWh are stored, kilograms are derived in SQL.
"""

from evaluators.energy.capabilities import EnergyCapabilities, describe
from evaluators.energy.windows import OWN_TIME, Ledger, Meter, MeterFailed, PhaseEnergy, Reading

__all__ = [
    "OWN_TIME",
    "EnergyCapabilities",
    "Ledger",
    "Meter",
    "MeterFailed",
    "PhaseEnergy",
    "Reading",
    "describe",
    "make_meter",
]


def make_meter(name: str, *, country_iso_code: str, gpu_uuid: str | None = None) -> Meter:
    """The meter of that name. `gpu_uuid` is the NVIDIA GPU that the evaluation uses, None for none.

    Raises ValueError for a name that is not known, MeterFailed where the meter cannot start.
    """
    if name == "codecarbon":
        from evaluators.energy.codecarbon import CodecarbonMeter

        return CodecarbonMeter(country_iso_code=country_iso_code, gpu_uuid=gpu_uuid)
    if name == "none":
        from evaluators.energy.none import NoMeter

        return NoMeter()
    raise ValueError(f"meter {name!r} is not known; there are: codecarbon, none")
