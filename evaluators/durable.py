"""Files that exist whole or not at all, even after a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".tmp-"  # prefix of names that are not final yet


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file, whole or not at all, and fsync it. Raises OSError with the remedy where writing fails."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        words = f"{error.strerror}: what was finished is kept; make room, then run again"
        raise OSError(error.errno, words, str(path)) from None


def fsync_directory(path: Path) -> None:
    """Make new entries of the directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
