"""The folders of versions: makes them durable and read-only, switches to them, deletes old ones.

Belongs here: folders and links. `marts_files` writes the files.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from pathlib import Path

TEMPORARY = ".tmp-"


class PublicationRefused(Exception):
    """Nothing was published and the current version stays; the message says why and what to do."""


def seal(folder: Path) -> None:
    """Make everything durable and read-only, including folders, so that no reader can leave a log next to the file."""
    if stray := [path.name for path in folder.rglob("*.wal")]:
        raise PublicationRefused(f"a write-ahead log was left next to the published file: {stray[0]}; try again")
    for path in sorted(folder.rglob("*"), reverse=True):
        fsync(path)
        path.chmod(0o555 if path.is_dir() else 0o444)
    fsync(folder)


def switch(link: Path, target: Path) -> None:
    """Change the symlink in one step: readers see the old or the new version, never none."""
    temporary = link.with_name(f"{TEMPORARY}{secrets.token_hex(4)}")
    temporary.symlink_to(target)
    os.replace(temporary, link)
    fsync(link.parent)


def retire(versions: Path, keep: int, current: str) -> None:
    """Remove all versions but the newest `keep`; the current one always stays."""
    names = sorted((p.name for p in versions.iterdir() if not p.name.startswith(TEMPORARY)), reverse=True)
    for name in names[max(keep, 1) :]:
        if name != current:
            remove(versions / name)


def sweep(versions: Path) -> None:
    """Remove what a killed publication left behind."""
    for path in versions.glob(f"{TEMPORARY}*"):
        remove(path)
    for link in versions.parent.glob(f"{TEMPORARY}*"):
        link.unlink()


def remove(folder: Path) -> None:
    """Remove a version, although it is read-only."""
    if not folder.exists():
        return
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def fsync(path: Path) -> None:
    """Make a file, or a folder's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
