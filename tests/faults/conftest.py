"""What the faults happen to: a workplace whose tiny model is evaluated, and a home whose marts are built.

Building takes dbt the longest, so two nights are built once a session, without a fault, and each test gets a copy: of
the home as it was before the second night, or after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.home import Home
from tests.support import tiny
from tests.support.built_once import built_once
from tests.support.two_nights import Nights, build_nights, copy_of
from tests.support.workplace import TASKS, Workplace, save_held_workplace, save_workplace


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def workplace(tmp_path: Path, tiny_model: Path) -> Workplace:
    """The model `tiny-base`, due on three tasks."""
    return save_workplace(tmp_path / "a place", tiny_model, TASKS)


@pytest.fixture
def held_workplace(tmp_path: Path, tiny_model: Path) -> Workplace:
    """The same with a task in between that pauses before it is landed, until it is released."""
    return save_held_workplace(tmp_path / "a place", tiny_model)


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    folder = "nights"
    return Nights(*built_once(tmp_path_factory, folder, lambda: build_nights(tmp_path_factory.mktemp(folder) / "home")))


@pytest.fixture
def home_before(nights: Nights, tmp_path: Path) -> Home:
    """A home with one night built and published, and the second one landed."""
    home = copy_of(nights.before, tmp_path / "home")
    shutil.copytree(nights.after.landing, home.landing, dirs_exist_ok=True)
    return home


@pytest.fixture
def home(nights: Nights, tmp_path: Path) -> Home:
    """A home with both nights built and published."""
    return copy_of(nights.after, tmp_path / "home")


@pytest.fixture(scope="session")
def marts() -> Callable[[Path], dict[str, list[tuple[Any, ...]]]]:
    """Reads all marts of a build file or a published one."""

    def read(path: Path) -> dict[str, list[tuple[Any, ...]]]:
        with duckdb.connect(path, read_only=True) as connection:
            tables = connection.execute(
                "select distinct table_name from duckdb_tables() "
                "where schema_name in ('marts', 'main') and table_name <> 'publication'"
            ).fetchall()
            return {name: connection.execute(f"from marts.{name} order by all").fetchall() for (name,) in tables}

    return read
