"""A run's directory from its first file to its last: opened, locked, ended, or closed for a process that died.

The lock says whether the process lives. A run that has `run.json`, no `end` bundle and a free lock was killed; what it
finished stays, and somebody else (the loader, the launcher) ends it in its name.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from filelock import FileLock, Timeout

from evaluators.durable import TEMPORARY
from evaluators.durable import write_durably as _write
from evaluators.landing.bundles import (
    END_BUNDLE,
    LOADED_FILE,
    LOCK_FILE,
    RUN_FILE,
    bundles,
    is_task_bundle,
    write_bundle,
)
from evaluators.records import SCHEMA_VERSION, EvaluationRun, columns

TASKS_FILE = "tasks.json"  # {task: PlannedTask} of all that the run set out to have, once it knows
SUMMARY_FILE = "summary.json"
SILENT_END = "the process ended without a word: killed, out of memory, or the machine stopped"


class PlannedTask(TypedDict):
    """A task in a run's plan: its bundle's name, empty where it could not be loaded, and its weight in the score.

    `repetitions` are the further bundles' names where the suite asks for more than one. `group` is the suite's entry
    that the task came through, if not its own: plans from before that was noted gave all of a group's tasks the same
    weight. `scale` is the metric's, where the suite states it.
    """

    evaluation: str
    weight: float
    group: NotRequired[str]
    scale: NotRequired[float]
    repetitions: NotRequired[list[str]]


def open_run(landing: Path, start: EvaluationRun) -> FileLock:
    """Lock the run's directory and write down what it sets out to do. Hold the lock while the run lives."""
    folder = landing / start.run_id
    folder.mkdir(parents=True)
    lock = FileLock(folder / LOCK_FILE)
    lock.acquire(timeout=0)
    _write(folder / RUN_FILE, _as_json(start).encode())
    return lock


def note_loaded(landing: Path, record: EvaluationRun) -> None:
    """Write down what only a loaded model knows, before any task: a killed run is ended with it, and with the same
    comparability key as the run that does the rest."""
    _write(landing / record.run_id / LOADED_FILE, _as_json(record).encode())


def close_abandoned(landing: Path) -> list[str]:
    """End every run whose process is gone, as `interrupted`; returns their ids. Leftover temporary files are swept."""
    folders = sorted(p for p in landing.iterdir() if (p / RUN_FILE).exists()) if landing.is_dir() else []
    return [folder.name for folder in folders if close(landing, folder.name, "interrupted", SILENT_END)]


def close(landing: Path, run_id: str, status: str, reason: str) -> bool:
    """End a run in the name of its process, unless that lives, has ended the run itself or never opened it, or its own
    beginning is damaged (see `unreadable`)."""
    folder = landing / run_id
    if not (folder / RUN_FILE).exists() or (folder / END_BUNDLE).exists() or _start_of(folder) is None:
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
    """Folders of runs without an end that nobody can end, because their own beginning is damaged."""
    folders = [p for p in landing.iterdir() if (p / RUN_FILE).exists()] if landing.is_dir() else []
    return sorted(p for p in folders if not (p / END_BUNDLE).exists() and _start_of(p) is None)


def runs_of(landing: Path, model: str, suite: str) -> list[dict[str, Any]]:
    """What the runs of a model and a suite set out to do, oldest first."""
    found = []
    for path in sorted(landing.glob(f"*/{RUN_FILE}")):
        try:
            start = json.loads(path.read_bytes())
        except ValueError:
            continue  # damaged; the loader puts it into quarantine and says so
        if start.get("model_id") == model and start.get("suite") == suite:
            found.append(start)
    return found


def took_before(landing: Path, model: str, suite: str, machine_id: str) -> dict[str, float]:
    """Seconds a document, of each task that a run of the model and suite has ended with on the machine; the newest
    counts."""
    found: dict[str, float] = {}
    for run in runs_of(landing, model, suite):
        if run.get("machine_id") != machine_id:
            continue
        summary = read_json(landing / run["run_id"] / SUMMARY_FILE)
        for task in summary["tasks"] if summary is not None else []:
            found[task["task"]] = task["duration_s"] / task["documents"]
    return found


def model_key(landing: Path, run_id: str) -> str | None:
    """The key of the model that the run loaded; None where it loaded none."""
    loaded = read_json(landing / run_id / LOADED_FILE)
    return loaded["model_key"] if loaded is not None else None


def read_json(path: Path) -> Any:
    """A run's side file; None where it was never written."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _end_for(landing: Path, folder: Path, status: str, reason: str) -> None:
    start = _start_of(folder)
    assert start is not None
    finished = sum(1 for bundle in bundles(landing, folder.name) if is_task_bundle(bundle.name))
    planned = read_json(folder / TASKS_FILE)
    end = dataclasses.replace(
        start,
        status=status,
        reason=reason,
        tasks_evaluated=finished,
        tasks_planned=len(planned) if planned is not None else None,
        task_evaluations_json=json.dumps(planned, sort_keys=True) if planned is not None else None,
    )
    write_bundle(landing, start.run_id, END_BUNDLE, [end])
    for leftover in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _start_of(folder: Path) -> EvaluationRun | None:
    """What the run said of itself, last where it said it twice; None where that is damaged."""
    try:
        return EvaluationRun(**_revived(read_json(folder / LOADED_FILE) or read_json(folder / RUN_FILE)))
    except (KeyError, TypeError, ValueError):
        return None


def _as_json(record: EvaluationRun) -> str:
    default: Callable[[Any], str] = lambda value: value.isoformat() if isinstance(value, datetime) else str(value)  # noqa: E731
    return json.dumps(dataclasses.asdict(record), default=default, indent=1)


def _revived(values: dict[str, Any]) -> dict[str, Any]:
    """A run's fields from its file, which an earlier version of Evalwatt may have written."""
    later = {column.name: None for column in columns(EvaluationRun) if column.since > values["schema_version"]}
    values = later | values | {"schema_version": SCHEMA_VERSION}
    for name in ("started_at", "ended_at"):
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name]).astimezone(UTC)
    return values
