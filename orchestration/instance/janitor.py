"""Closes Dagster's runs whose process is gone: one that was killed, or all of them after the machine stopped.

Dagster itself leaves such a run started, and its pool occupied, until its maximum runtime has passed. Each run holds a
file lock while its process lives, and removes the file when it ends: an unlocked file belongs to a process that died.
Unlike a process id, a lock keeps its meaning after a restart, in another container and after a clock step.

Belongs here: distinguishing living runs from dead ones, and closing the dead. The loader closes evaluators' runs
(`evaluators.landing.lifecycle`), by locks of their own.
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
    """Show other processes that the run's process lives."""
    path = _locks(home) / f"{run_id}{_SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    unseen = path.with_suffix(".new")
    descriptor = os.open(unseen, os.O_RDWR | os.O_CREAT)
    try:
        # Never visible and unlocked while the run lives: locked before the rename, removed before the unlock.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unseen.rename(path)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def is_dead(home: Home, run_id: str) -> bool:
    """Whether the run started here and its process is gone. False for a run that has not started."""
    return _is_free(_locks(home) / f"{run_id}{_SUFFIX}")


def close_dead_runs(instance: DagsterInstance, home: Home) -> list[str]:
    """Fail every run whose process is gone, and free the pool slots of ended runs. Returns the closed runs' ids."""
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
    """Whether nobody holds the lock. Does not create the file: a run that ends normally removes it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_nlink > 0  # 0 if the run has just ended and removed it
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
