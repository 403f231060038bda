"""torch's threads sleep while other programs want their CPUs: real OpenMP threads, beside others that are made up."""

from __future__ import annotations

import hashlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch

from evaluators import environment
from evaluators.process import waiting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="torch has libgomp on Linux only")

CPUS = len(os.sched_getaffinity(0))
Take = Callable[[float], None]


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Take:
    """Says how many CPUs others take, and returns when that was seen."""
    looks: queue.Queue[float] = queue.Queue()

    def taken(_: set[int], done: threading.Event) -> Iterator[float]:
        while not done.is_set():
            try:
                look = looks.get(timeout=0.01)
            except queue.Empty:
                continue
            yield look
            looks.task_done()

    def say(cpus: float) -> None:
        looks.put(cpus)
        looks.join()

    monkeypatch.setattr(waiting, "_taken", taken)
    return say


def sleeping() -> bool:
    return "sleepers" in [thread.name for thread in threading.enumerate()]


def test_they_sleep_while_others_want_a_cpu_and_no_longer(take: Take) -> None:
    assert environment.thread_policy() == environment.YIELDING
    with waiting.yielding(CPUS):
        seen = []
        for cpus in (0.0, 0.12, 0.5, 0.12, 0.0, 0.12, 1.0):  # 0.12 lies between the bounds: it stays as it was
            take(cpus)
            seen.append(sleeping())
        assert seen == [False, False, True, True, False, False, True]
    assert not sleeping(), "they end with the evaluation"


# A process of its own: its threads are Python's and libgomp's, and nobody else's.
COUNTING = """
import threading, time, psutil, torch
from evaluators.process import waiting

def taken(cpus, done):
    yield 1.0
    crowded.set()
    done.wait()

def until(more):
    while psutil.Process().num_threads() - threading.active_count() != alone + more:
        time.sleep(0.01)

waiting._taken, crowded = taken, threading.Event()
ones = torch.ones(1000, 1000)
product = ones @ ones  # torch's own threads are there from now on
alone = psutil.Process().num_threads() - threading.active_count()
with waiting.yielding(torch.get_num_threads()):
    crowded.wait()
    until(more=len(psutil.Process().cpu_affinity()) - torch.get_num_threads() + 1)
    assert (ones @ ones).equal(product)
until(more=0)
"""


def test_the_process_has_more_openmp_threads_than_cpus() -> None:
    subprocess.run([sys.executable, "-c", COUNTING], check=True, timeout=600)


def test_cpus_that_the_threads_leave_free_are_for_others(take: Take) -> None:
    with waiting.yielding(CPUS - 1):
        take(1.1)
        assert not sleeping()
        take(1.3)
        assert sleeping()


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "2000"), ("OMP_WAIT_POLICY", "active")])
def test_a_users_own_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with waiting.yielding(CPUS):
        assert "waiting" not in [thread.name for thread in threading.enumerate()]


def test_the_libgomp_is_torchs_own() -> None:
    libgomp = waiting._libgomp()
    assert libgomp is not None
    assert Path(libgomp._name).is_relative_to(Path(torch.__file__).parent.parent)


def test_others_are_seen_on_the_machine() -> None:
    """Two looks: while a busy program has what this process leaves it, and how much that is at the most."""
    cpus, done = os.sched_getaffinity(0), threading.Event()
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as busy:
        try:
            looks = waiting._taken(cpus, done)
            before = sum(psutil.Process(busy.pid).cpu_times()[:2])
            seen = [next(looks)]
            while sum(psutil.Process(busy.pid).cpu_times()[:2]) < before + 0.5:
                seen.append(next(looks))
        finally:
            busy.kill()
    assert max(seen) > 0.2
    assert max(seen) < len(cpus) + 0.5


def test_own_time_is_nobody_elses() -> None:
    """All of the machine's CPU time is this process's, or others', and none of it both."""
    cpus, long = os.sched_getaffinity(0), bytes(10_000_000)
    ends_s = time.process_time() + len(cpus)

    def hashed(_: int) -> None:  # beside other threads: it lets go of Python's lock
        while time.process_time() < ends_s:
            hashlib.sha256(long)

    wall_s, own_s, taken_s = -time.perf_counter(), -time.process_time(), -waiting._taken_s(cpus)
    with ThreadPoolExecutor(len(cpus)) as threads:
        list(threads.map(hashed, range(len(cpus))))
    taken_s += waiting._taken_s(cpus)
    own_s += time.process_time()
    wall_s += time.perf_counter()
    assert taken_s < len(cpus) * wall_s - own_s + 0.1 * len(cpus)  # the clocks tick apart
