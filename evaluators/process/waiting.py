"""How torch's threads wait for each other: spinning while their CPUs are the evaluator's, sleeping where others run.

They meet at some hundred barriers a token. To spin there is the fastest while nobody else wants a CPU; beside one busy
program on two CPUs, whoever spins waits for a thread that has none, and decoding takes more than twenty times as long.
libgomp reads the length of the spinning once, when it is loaded. But wherever a process has more OpenMP threads than
CPUs, it spins a thousand times only (its manual, GOMP_SPINCOUNT, and `environment`). So while other programs run, the
process keeps a few threads more, which do nothing.
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
# CPUs that others take beyond those that torch's threads leave free. The gap keeps what hovers there from flapping.
_CROWDED = 0.16
_FREE = 0.08


@contextmanager
def yielding(threads: int) -> Iterator[None]:
    """Let torch's `threads` threads of this process sleep rather than spin while other programs want their CPUs.

    Nothing is done where the user has said how they wait, nor where torch is built with another OpenMP than libgomp.
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
    """How many of the CPUs this process did not have since the last look: other programs did, or, on a virtual machine,
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
    """OpenMP threads beside torch's that do nothing: with them the process has more than CPUs. `free`: CPUs that
    torch's threads leave free."""

    def __init__(self, libgomp: ctypes.CDLL, free: int) -> None:
        self._end = threading.Event()
        count = max(1, free + 1) + 1  # libgomp does not count the one that leads
        self._leader = threading.Thread(target=self._run, args=(libgomp, count), name="sleepers", daemon=True)
        self._leader.start()

    def _run(self, libgomp: ctypes.CDLL, count: int) -> None:
        nothing = ctypes.CDLL(None).free  # of NULL, in each of them
        libgomp.GOMP_parallel(nothing, None, count, 0)
        self._end.wait()  # they end with the thread that leads them

    def end(self) -> None:
        self._end.set()
        self._leader.join()


def _libgomp() -> ctypes.CDLL | None:
    """The libgomp that torch has loaded; other packages bring copies of their own, which count their threads apart."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return None
    paths = dict.fromkeys(line.split(maxsplit=5)[5] for line in lines if "/libgomp" in line)
    of_torch = [path for path in paths if f"{os.sep}torch{os.sep}" in path or f"{os.sep}torch.libs{os.sep}" in path]
    found = of_torch or list(paths)
    return ctypes.CDLL(found[0]) if found else None
