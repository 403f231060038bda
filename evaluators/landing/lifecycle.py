"""A run's directory from its first file to its last: opened, locked, ended, or closed for a process that died.

The lock shows whether the process is alive. A run that has `run.json`, no `end` bundle and a free lock was killed; what
it finished is kept, and the loader or the launcher lands its end.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evaluators.durable import TEMPORARY, write_durably
from evaluators.landing.bundles import (
    END_BUNDLE,
    LOADED_FILE,
    LOCK_FILE,
    RUN_FILE,
    TASKS_FILE,
    bundles,
    is_task_bundle,
    write_bundle,
)
from evaluators.landing.runs import loaded_record, read_json
from evaluators.records import SCHEMA_VERSION, EvaluationRun

SILENT_END = "the process ended without a message: killed, out of memory, or the machine stopped"


def open_run(landing: Path, start: EvaluationRun) -> FileLock:
    """Lock the run's directory and write the run's start. Hold the lock while the run lasts."""
    folder = landing / start.run_id
    folder.mkdir(parents=True)
    lock = FileLock(folder / LOCK_FILE)
    lock.acquire(timeout=0)
    write_durably(folder / RUN_FILE, _as_json(start).encode())
    return lock


def note_loaded(landing: Path, record: EvaluationRun) -> None:
    """Write what is known only after the model is loaded, before any task: then the end of a killed run has it too, and
    the same comparability key as the run that does the rest."""
    write_durably(landing / record.run_id / LOADED_FILE, _as_json(record).encode())


def close_abandoned(landing: Path) -> list[str]:
    """End every run whose process has died, as `interrupted`, and delete its temporary files; returns their ids."""
    folders = sorted(p for p in landing.iterdir() if (p / RUN_FILE).exists()) if landing.is_dir() else []
    return [folder.name for folder in folders if close(landing, folder.name, "interrupted", SILENT_END)]


def close(landing: Path, run_id: str, status: str, reason: str) -> bool:
    """End a run on behalf of its process, unless the process is alive, has ended the run itself or never opened it, or
    the run's start is damaged (see `unreadable`)."""
    folder = landing / run_id
    if not (folder / RUN_FILE).exists() or (folder / END_BUNDLE).exists() or loaded_record(folder) is None:
        return False
    try:
        with FileLock(folder / LOCK_FILE).acquire(timeout=0):
            _end_for(landing, folder, status, reason)
    except Timeout:
        return False  # alive
    return True


def lives(landing: Path, run_id: str) -> bool:
    """Whether the run's process holds its lock."""
    if not (landing / run_id / LOCK_FILE).exists():
        return False
    try:
        with FileLock(landing / run_id / LOCK_FILE).acquire(timeout=0):
            return False
    except Timeout:
        return True


def unreadable(landing: Path) -> list[Path]:
    """Folders of runs that have no end and cannot be ended, because their start is damaged."""
    folders = [p for p in landing.iterdir() if (p / RUN_FILE).exists()] if landing.is_dir() else []
    return sorted(p for p in folders if not (p / END_BUNDLE).exists() and loaded_record(p) is None)


def _end_for(landing: Path, folder: Path, status: str, reason: str) -> None:
    start = loaded_record(folder)
    assert start is not None
    finished = sum(1 for bundle in bundles(landing, folder.name) if is_task_bundle(bundle.name))
    planned = read_json(folder / TASKS_FILE)
    end = dataclasses.replace(
        start,
        schema_version=SCHEMA_VERSION,
        status=status,
        reason=reason,
        tasks_evaluated=finished,
        tasks_planned=len(planned) if planned is not None else None,
        task_evaluations_json=json.dumps(planned, sort_keys=True) if planned is not None else None,
    )
    write_bundle(landing, start.run_id, END_BUNDLE, [end])
    for leftover in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _as_json(record: EvaluationRun) -> str:
    default: Callable[[Any], str] = lambda value: value.isoformat() if isinstance(value, datetime) else str(value)  # noqa: E731
    return json.dumps(dataclasses.asdict(record), default=default, indent=1)
