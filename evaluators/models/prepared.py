"""Models that were converted, trained or merged here: which ones the catalogue still needs, and freeing the others.

Belongs here: the folders in EVALWATT_HOME/models. Does not belong here: which folders an entry needs (`sources`), or
what was downloaded (`hub_cache`).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from evaluators.catalogue.entries import Catalogue
from evaluators.models.sources import folders_of

_FOLDER = re.compile("[0-9a-f]{32}")
_GONE = ".gone"


class EvaluationRunning(Exception):
    """An evaluation of this home is running, and may be about to use a folder that looks unneeded."""


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A folder that was built once. `needed_by` are the entries that are evaluated from it, or built from it."""

    path: Path
    size_bytes: int
    made_at: datetime
    needed_by: tuple[str, ...]


def prepared(catalogue: Catalogue, home: Path) -> list[PreparedModel]:
    """All folders, oldest first. GGUF files and adapters are read to determine what was built from them.

    Raises ModelUnavailable where an entry of the catalogue does not say which folders it needs.
    """
    folders = [path for path in (home / "models").glob("*") if path.is_dir() and _FOLDER.fullmatch(path.name)]
    if not folders:
        return []
    needed: dict[Path, list[str]] = {}
    for entry in (entries := catalogue.needed()).values():
        for folder in folders_of(entry, entries, home, catalogue.path.parent):
            needed.setdefault(folder, []).append(entry.name)
    found = [
        PreparedModel(
            path=folder,
            size_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
            made_at=datetime.fromtimestamp(folder.stat().st_mtime, tz=UTC),
            needed_by=tuple(needed.get(folder.resolve(), ())),
        )
        for folder in folders
    ]
    return sorted(found, key=lambda model: (model.made_at, model.path))


def free_unneeded(catalogue: Catalogue, home: Path) -> list[PreparedModel]:
    """Free what no entry needs, and return it. Frees nothing where it raises EvaluationRunning or ModelUnavailable."""
    lock = home / "locks" / "device.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            unneeded = [model for model in prepared(catalogue, home) if not model.needed_by]
            for model in unneeded:
                model.path.rename(model.path.with_suffix(_GONE))  # a kill must not leave part of a model under its name
            for gone in (home / "models").glob(f"*{_GONE}"):
                shutil.rmtree(gone)
            return unneeded
    except Timeout:
        raise EvaluationRunning("an evaluation is running; free prepared models once it has ended") from None
