"""Plan keys: hashes over all that can be known about an entry and a suite without loading the model.

Belongs here: what a key covers, and reading it. Does not belong here: what follows from a new or known key (`plan`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evaluators.catalogue.entries import HOW_MUCH, Catalogue, ModelEntry, SuiteEntry
from evaluators.hashing import digest


class PlanKeys:
    """The plan keys of a catalogue. What entries have in common is read once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._harness_version = version("lm-eval")
        self._tasks: dict[str, list[str]] = {}  # contents of the task files, by suite

    def of(self, entry: ModelEntry, suite: SuiteEntry) -> str:
        exclude = {"suites", "refresh_every", "batch_size", "budget", "retired"}
        root = self._catalogue.path.parent
        models = [entry, *self._catalogue.lineage(entry)]
        # The landing shows whether tasks were repeated often enough; before `repetitions` existed, once was the rule.
        unsaid = HOW_MUCH | {"description": True} | ({"repetitions": True} if suite.repetitions == 1 else {})
        if suite.name not in self._tasks:
            files = (path for folder in suite.task_folders(root) for path in _task_files(folder))
            self._tasks[suite.name] = [_content(path) for path in files]
        return digest(
            {
                "models": [model.model_dump(mode="json", exclude=exclude) for model in models],
                "weights": [list(_files(root / model.path)) for model in models if model.path is not None],
                "recipes": [_content(root / model.recipe) for model in models if model.recipe is not None],
                "suite": suite.model_dump(mode="json", exclude=unsaid),
                "tasks": self._tasks[suite.name],
                "seed": self._catalogue.settings.seed,
                "lm-eval": self._harness_version,
            }
        )[:16]


def _task_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix in {"", ".yaml", ".yml", ".py", ".jsonl"} and p.is_file())


def _content(path: Path) -> str:
    """Hash of a file; a missing one counts too, and the evaluator reports it as an error with a remedy."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"


def _files(folder: Path) -> Iterator[list[Any]]:
    """Names, sizes and times of a model's files: cheaper than their content, and enough to notice a change."""
    paths = [folder] if folder.exists() else []
    if folder.is_dir():  # asked first: it takes a text that can be no path for one that is not there, `walk` raises
        # `walk` leaves out folders that vanish or cannot be read, where `rglob` raises.
        paths = sorted(Path(at, name) for at, folders, files in os.walk(folder) for name in (*folders, *files))
    for path in paths:
        with suppress(OSError):  # deleted after it was listed, or not readable
            status = path.stat()
            yield [path.name, status.st_size, status.st_mtime_ns]
