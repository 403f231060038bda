"""The CPU time of a window: that of this process and its children, that of all others, and the own part in kWh.

Without a sensor a processor's energy is modelled from the evaluator's own CPU time, so that a busy neighbour changes a
task's duration rather than its energy.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter

import psutil

_IDLE = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests' time is inside user and nice
_MOST_NAMED = 3  # programs
_LEAST_NAMED = 0.01  # of the machine's CPU time


@dataclass(frozen=True, slots=True)
class CpuWindow:
    """CPU seconds of a window. `programs`: the other programs that took most, with their shares of the machine's CPU
    time, such as `python3 46%, rsync 3%`; None where no program took much, or none is visible."""

    own_s: float
    foreign_s: float
    programs: str | None


class CpuTime:
    """CPU seconds from `start` to `stop`; `window` splits them into own and foreign ones."""

    def start(self) -> None:
        self._others = _others()
        self._own_s, self._busy_s = _own_s(), _busy_s()

    def own_s(self) -> float:
        """Own seconds until now."""
        return _own_s() - self._own_s

    def stop(self) -> None:
        self._window_s = self.own_s(), _busy_s() - self._busy_s

    def window(self, duration_s: float) -> CpuWindow:
        """Call it after `stop` and after every other clock has stopped, because it reads every process of the machine.
        `duration_s`: the window's wall-clock duration."""
        own_s, busy_s = self._window_s
        # The two counters update separately: the machine's may lag behind our own.
        foreign_s = max(0.0, busy_s - own_s)
        return CpuWindow(own_s, foreign_s, self._programs(duration_s, foreign_s))

    def _programs(self, duration_s: float, foreign_s: float) -> str | None:
        if share_of_machine(foreign_s, duration_s) < _LEAST_NAMED:
            return None
        took: defaultdict[str, float] = defaultdict(float)
        for process, (name, seconds) in _others().items():
            took[name] += seconds - self._others.get(process, (name, 0.0))[1]
        named = [
            (name, share_of_machine(s, duration_s))
            for name, s in nlargest(_MOST_NAMED, took.items(), key=itemgetter(1))
        ]
        return ", ".join(f"{name} {share:.0%}" for name, share in named if share >= _LEAST_NAMED) or None


def share_of_machine(cpu_s: float, duration_s: float) -> float:
    """CPU seconds as a share of what the machine has in `duration_s`; 0 for an empty window."""
    return cpu_s / (duration_s * (os.cpu_count() or 1)) if duration_s > 0 else 0.0


def energy_kwh(power_w: float, own_cpu_s: float) -> float:
    """Energy in kWh from own CPU seconds: the component's power under full load, times the share of processor time.

    This is codecarbon's formula for a process (tracking mode `process`), with counters read at the window's edges.
    """
    return power_w * own_cpu_s / (os.cpu_count() or 1) / 3.6e6


def _own_s() -> float:
    process = psutil.Process()
    times = process.cpu_times()
    # This process's own time comes from a finer clock: the others tick a hundred times a second.
    total = time.process_time() + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended, and its time is now in its parent's
        total += times.user + times.system
    return float(total)


def _busy_s() -> float:
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for kind, seconds in times.items() if kind not in _IDLE))


def _others() -> dict[psutil.Process, tuple[str, float]]:
    """Name and CPU seconds so far of every process that is not this one or its descendant, where they can be read."""
    own = psutil.Process()
    mine = {own, *own.children(recursive=True)}
    found = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if process not in mine and times is not None:
            found[process] = (process.info["name"] or f"process {process.pid}", times.user + times.system)
    return found
