"""How torch's threads wait for each other: they spin while the CPUs are theirs alone, and sleep while others run.

They meet at some hundred barriers per token. Spinning there is fastest while no other program wants a CPU. Beside one
busy program on two CPUs, a spinning thread waits for one that has no CPU, and decoding takes more than twenty times as
long. libgomp reads how long to spin once, when it is loaded. But where a process has more OpenMP threads than CPUs,
libgomp spins only a thousand times (its manual, GOMP_SPINCOUNT, and `environment`). So while other programs run, the
process keeps a few additional threads, which do nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from evaluators import environment

_LOOK_S = 0.5
# CPUs that others take beyond those that torch's threads leave free. The gap between the two prevents flapping.
_CROWDED = 0.16
_FREE = 0.08


@contextmanager
def yielding(threads: int) -> Iterator[None]:
    """Let torch's `threads` threads of this process sleep rather than spin while other programs want their CPUs.

    Does nothing where the user has configured how threads wait, or where torch uses another OpenMP than libgomp.
    """
    if environment.thread_policy() != environment.YIELDING or sys.platform != "linux":
        yield
        return
    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(threads, done), name="waiting", daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _watch(threads: int, done: threading.Event) -> None:
    cpus = os.sched_getaffinity(0)
    sleepers: _Sleepers | None = None
    for taken in _taken(cpus, done):
        too_many = taken + threads - len(cpus)
        if sleepers is None and too_many > _CROWDED and (libgomp := _libgomp()) is not None:
            sleepers = _Sleepers(libgomp, len(cpus) - threads)
        elif sleepers is not None and too_many < _FREE:
            sleepers.end()
            sleepers = None
    if sleepers is not None:
        sleepers.end()


def _taken(cpus: set[int], done: threading.Event) -> Iterator[float]:
    """How many CPUs were taken from this process since the last look: by other programs or, on a virtual machine, by
    its neighbours ("steal"). Until `done`."""
    clock, taken_s = time.perf_counter(), _taken_s(cpus)
    while not done.wait(_LOOK_S):
        before = clock, taken_s
        clock, taken_s = time.perf_counter(), _taken_s(cpus)
        yield (taken_s - before[1]) / (clock - before[0])


def _taken_s(cpus: set[int]) -> float:
    taken_s = -time.process_time()
    for cpu, times in enumerate(psutil.cpu_times(percpu=True)):
        if cpu in cpus:
            taken_s += times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    return taken_s


class _Sleepers:
    """Idle OpenMP threads beside torch's: with them the process has more threads than CPUs. `free`: CPUs that torch's
    threads leave free."""

    def __init__(self, libgomp: ctypes.CDLL, free: int) -> None:
        self._end = threading.Event()
        count = max(1, free + 1) + 1  # libgomp does not count the leading thread
        self._leader = threading.Thread(target=self._run, args=(libgomp, count), name="sleepers", daemon=True)
        self._leader.start()

    def _run(self, libgomp: ctypes.CDLL, count: int) -> None:
        nothing = ctypes.CDLL(None).free  # called with NULL in each of them
        libgomp.GOMP_parallel(nothing, None, count, 0)
        self._end.wait()  # they end with their leading thread

    def end(self) -> None:
        self._end.set()
        self._leader.join()


def _libgomp() -> ctypes.CDLL | None:
    """The libgomp that torch has loaded; other packages load copies of their own, which count threads separately."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return None
    paths = dict.fromkeys(line.split(maxsplit=5)[5] for line in lines if "/libgomp" in line)
    of_torch = [path for path in paths if f"{os.sep}torch{os.sep}" in path or f"{os.sep}torch.libs{os.sep}" in path]
    found = of_torch or list(paths)
    return ctypes.CDLL(found[0]) if found else None
