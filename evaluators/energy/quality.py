"""The rules that decide whether the figures of a window and of a phase can be trusted (docs/measurement.md).

A doubtful component becomes None, never zero or the last good value, and a flag gives the reason.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

from evaluators.energy.cpu_time import share_of_machine
from evaluators.energy.windows import OWN_TIME, Reading

# Ten updates of the slowest sensor that we read, NVML's energy counter, which updates every 100 ms.
SHORTEST_WINDOW_S = 1.0
# No CPU socket, accelerator or memory bank draws this much: a larger figure means that a counter jumped.
ABSURD_POWER_W = 100_000.0
# The share of the machine's CPU time that other programs may take before a figure is in doubt, by the method of the
# CPU's energy: a sensor and a model of the machine's load include other programs; a model of the own time does not, and
# is off by at most 15 % (docs/measurement.md has the experiment, which goes up to 75 %).
FOREIGN_SHARES = {"measured": 0.1, "integrated": 0.1, "modelled": 0.1, OWN_TIME: 0.8}
# How far the meter's own clock may differ from ours.
CLOCK_TOLERANCE = 0.05
CLOCK_SLACK_S = 0.25
# How far a GPU's energy counter may differ from codecarbon's figure, beyond one update of the counter at each edge.
GPU_TOLERANCE = 0.05
GPU_SLACK_S = 0.2

MEANINGS = {
    "too_short": f"the window is shorter than {SHORTEST_WINDOW_S:g} s, too short for its energy to be trusted",
    "meter_failed": "the meter gave no answer for the window",
    "negative": "a counter went backwards",
    "not_finite": "the meter answered NaN or infinity",
    "absurd": f"a component would have drawn more than {ABSURD_POWER_W:g} W",
    "stuck": "a sensor did not change although the component was in use",
    "foreign_load": "other programs took too much CPU time for the figure to be trusted",
    "clock_mismatch": "the meter's duration and the monotonic clock disagree by more than 5 %",
    "gpu_mismatch": "the GPU's energy counter and codecarbon's figure disagree by more than 5 %",
    "gpu_lost": "the GPU did not answer at the window's start or end",
    "gpu_slice": "the model ran on a MIG slice, and its energy cannot be separated from that of the GPU's other slices",
    "gpu_unmetered": "the model ran on a GPU that NVML cannot read",
    "shared_device": "other programs used the GPU",
    "mixed_conditions": "its parts were asked on different machines or in different ways, or some documents twice",
}

# Remedies for the doubts that can occur on any machine.
REMEDIES = {
    "foreign_load": "`evalwatt evaluate MODEL --force` while no other program runs, then `evalwatt build`",
    "too_short": "raise `limit` in the catalogue: ten windows as short as this do not add up to a second",
}


def examine(window: Reading) -> Reading:
    """The window with the figures of faulty sensors replaced by None, and a flag for each doubt. Whether it is long
    enough is a question about its phase, of which it may be a part."""
    return _examined(window, window.flags, lambda energy, method: _fault(energy, window.duration_s, method))


def examine_phase(total: Reading) -> Reading:
    """The sum of a phase's examined windows, flagged where it is too short, or where other programs took too much."""
    if total.boundary == "none":
        return total
    is_short = total.duration_s < SHORTEST_WINDOW_S
    is_crowded = foreign_share(total) > FOREIGN_SHARES.get(total.cpu_method, math.inf)
    flags = [*total.flags, *(["too_short"] if is_short else ["foreign_load"] if is_crowded else [])]
    unseen = "too_short" if is_short else "stuck"
    return _examined(total, flags, lambda energy, method: unseen if _stands_still(energy, method) else None)


def agrees(duration_s: float, meter_duration_s: float) -> bool:
    """Whether the meter's own duration matches the monotonic clock's."""
    return abs(duration_s - meter_duration_s) <= CLOCK_TOLERANCE * duration_s + CLOCK_SLACK_S


def gpu_agrees(counted_kwh: float, codecarbon_kwh: float, duration_s: float) -> bool:
    """Whether codecarbon's figure for the GPU matches that of the GPU's energy counter."""
    allowed = GPU_TOLERANCE + (GPU_SLACK_S / duration_s if duration_s > 0 else math.inf)
    return abs(counted_kwh - codecarbon_kwh) <= allowed * abs(counted_kwh)


def note(reading: Reading) -> str | None:
    """The reading's flags in words, with the share of other programs; None without a flag."""
    return "; ".join(_in_words(flag, reading) for flag in reading.flags) or None


def meanings(flags: Iterable[str]) -> str:
    """The flags in words, without figures of a reading."""
    return "; ".join(MEANINGS[flag] for flag in flags)


def foreign_share(reading: Reading) -> float:
    """Share of the machine's CPU time that other programs took; 0 where it is unknown."""
    return share_of_machine(reading.foreign_cpu_s or 0.0, reading.duration_s)


def _in_words(flag: str, reading: Reading) -> str:
    if flag != "foreign_load":
        return MEANINGS[flag]
    programs = f" ({reading.foreign_programs})" if reading.foreign_programs else ""
    return f"other programs took {foreign_share(reading):.0%} of the machine's CPU time{programs}"


def _examined(reading: Reading, flags: Iterable[str], doubt_about: Callable[[float, str], str | None]) -> Reading:
    """The reading without the components that are in doubt, for each of which it has a flag."""
    found = set(flags)

    def trusted(energy_kwh: float | None, method: str) -> float | None:
        if energy_kwh is None or method == "absent":
            return None
        doubt = doubt_about(energy_kwh, method)
        if doubt is not None:
            found.add(doubt)
            return None
        return energy_kwh

    cpu = trusted(reading.cpu_energy_kwh, reading.cpu_method)
    gpu = trusted(reading.gpu_energy_kwh, reading.gpu_method)
    ram = trusted(reading.ram_energy_kwh, reading.ram_method)
    return dataclasses.replace(
        reading, cpu_energy_kwh=cpu, gpu_energy_kwh=gpu, ram_energy_kwh=ram, flags=tuple(sorted(found))
    )


def _fault(energy_kwh: float, duration_s: float, method: str) -> str | None:
    if not math.isfinite(energy_kwh):
        return "not_finite"
    if energy_kwh < 0:
        return "negative"
    # A shorter window may see no update of its sensor although nothing is wrong.
    if _stands_still(energy_kwh, method) and duration_s >= SHORTEST_WINDOW_S:
        return "stuck"
    if duration_s > 0 and energy_kwh * 3.6e6 / duration_s > ABSURD_POWER_W:
        return "absurd"
    return None


def _stands_still(energy_kwh: float, method: str) -> bool:
    return energy_kwh == 0 and method != OWN_TIME  # no CPU time, no energy
