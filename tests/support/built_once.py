"""What takes dbt minutes is built once, also where several processes share the tests (`make test`)."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import TypeVar

import pytest
from filelock import FileLock

T = TypeVar("T")


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[], T]) -> T:
    """The first process that wants it builds it, the others wait: xdist has no session that spans its workers."""
    base = factory.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"{name}.pickle"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(build()))
        return pickle.loads(kept.read_bytes())
