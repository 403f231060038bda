"""Fault 15: a `.wal` beside the build file.

The publication checkpoints or refuses; it never publishes without it.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.warehouse import publication
from orchestration.warehouse.publication import publish
from orchestration.warehouse.versions import PublicationRefused
from tests.support.processes import python
from tests.support.small_marts import build_marts

LEAVE_A_LOG = """
import os, sys
import duckdb
c = duckdb.connect(sys.argv[1])
c.execute("set checkpoint_threshold = '1GB'")
c.execute("update marts.mart_a set value = 42")
os._exit(0)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "it's a home")
    home.path.mkdir()
    build_marts(home, 1)
    publish(home)
    return home


def _log(home: Home) -> Path:
    return home.warehouse.with_name(f"{home.warehouse.name}.wal")


def test_15_a_log_is_brought_in_before_anything_is_published(home: Home) -> None:
    with python("-c", LEAVE_A_LOG, home.warehouse) as dying:
        assert dying.end() == 0, dying.said
    assert _log(home).exists()
    publish(home)
    assert not _log(home).exists()
    with duckdb.connect(home.marts, read_only=True) as connection:
        assert connection.sql("select distinct value from marts.mart_a").fetchall() == [(42,)]


def test_15_a_log_that_cannot_be_brought_in_is_refused_and_the_old_version_stays(home: Home) -> None:
    before = publication.current(home)
    _log(home).write_bytes(b"of nobody" * 100)
    with pytest.raises(PublicationRefused):
        publish(home)
    assert publication.current(home) == before
    assert list((home.published / "versions").iterdir()) == [before]
