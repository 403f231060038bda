"""Closes Dagster's runs whose process is gone: a killed one, or all of them where the machine stopped.

Dagster itself leaves such a run started, and its pool taken, until its maximum runtime has passed. Each run holds a
file lock here while its process lives, and removes the file at its end: a file that is there and free is that of a
process that died. Unlike a process id, a lock means the same after a restart, in another container and after a step
of the clock.

Belongs here: telling living runs from dead ones, and closing these. Runs of evaluators are closed by the loader
(`evaluators.landing.lifecycle`), from locks of their own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.home import Home

if TYPE_CHECKING:
    from dagster import DagsterInstance

_SUFFIX = ".lock"
REASON = (
    "its process is gone: killed, out of memory, or the machine stopped; what was finished is kept, "
    "and the next run does the rest"
)


@contextmanager
def living(home: Home, run_id: str) -> Iterator[None]:
    """Let others see that the run's process lives."""
    path = _locks(home) / f"{run_id}{_SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    unseen = path.with_suffix(".new")
    descriptor = os.open(unseen, os.O_RDWR | os.O_CREAT)
    try:
        # Never there and free while the run lives: held before it is seen, and removed before it is free.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unseen.rename(path)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def is_dead(home: Home, run_id: str) -> bool:
    """Whether the run began here and its process is gone. False for one that has not begun."""
    return _is_free(_locks(home) / f"{run_id}{_SUFFIX}")


def close_dead_runs(instance: DagsterInstance, home: Home) -> list[str]:
    """Fail every run whose process is gone, and free all slots that ended runs hold in pools; returns the runs' ids."""
    closed = []
    for path in sorted(_locks(home).glob(f"*{_SUFFIX}")):
        if not _is_free(path):
            continue
        run = instance.get_run_by_id(path.stem)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, f"Closed by Evalwatt: {REASON}.")
            closed.append(run.run_id)
        path.unlink(missing_ok=True)
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return closed


def _locks(home: Home) -> Path:
    return home.locks / "runs"


def _is_free(path: Path) -> bool:
    """Whether nobody holds the file. Not created here: a run that ends well removes it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_nlink > 0  # removed meanwhile: it ended
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
