"""Whose CPU time a window was: this process's and its children's, or everybody else's.

A modelled CPU energy follows the load of the whole machine, so a busy neighbour is billed to the evaluated model.
"""

from __future__ import annotations

import psutil

_IDLE = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests' time is inside user and nice


class CpuTime:
    """CPU seconds since `start`, which `stop` divides into own and foreign ones."""

    def start(self) -> None:
        self._own_s, self._busy_s = _own_s(), _busy_s()

    def stop(self) -> tuple[float, float]:
        own_s = _own_s() - self._own_s
        # The two clocks tick apart: a moment of the own time may be missing in the machine's.
        return own_s, max(0.0, _busy_s() - self._busy_s - own_s)


def _own_s() -> float:
    process = psutil.Process()
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended; its parent has its time now
        total += times.user + times.system
    return float(total)


def _busy_s() -> float:
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for kind, seconds in times.items() if kind not in _IDLE))
