"""Fault 14: an analyst holds the published file open read-write, and leaves a `.wal`.

The publication and new readers are unaffected.
"""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb

from orchestration.home import MARTS_FILE, Home
from orchestration.warehouse.publication import publish
from tests.support.processes import python
from tests.support.small_marts import build_marts

# Changes a row and holds the file, with the change in the log only.
HOLD = """
import sys, time
import duckdb
c = duckdb.connect(sys.argv[1])
c.execute("set checkpoint_threshold = '1GB'")
c.execute("update mart_a set value = 99")
print("holding", flush=True)
time.sleep(600)
"""


def test_14_whoever_writes_to_the_published_file_disturbs_nobody_after_the_next_publication(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    build_marts(home, 1)
    first = publish(home).path
    # Published files are read-only; an owner who insists, or root, can write all the same.
    for path in (first, first / MARTS_FILE):
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        path.chmod(0o755)
    with python("-c", HOLD, home.marts) as analyst:
        analyst.wait_for("holding")
        log = first / f"{MARTS_FILE}.wal"
        assert log.exists()

        build_marts(home, 2)
        second = publish(home).path
        assert _values(home) == [(2,)]
        analyst.kill()
    assert log.exists(), "the log is left, as this fault wants it"

    # Nothing of it is taken over, whether marts changed or not.
    third = publish(home).path
    assert _values(home) == [(2,)]
    assert not [*second.rglob("*.wal"), *third.rglob("*.wal")]


def _values(home: Home) -> list[tuple[int]]:
    with duckdb.connect(home.marts, read_only=True) as connection:
        values = connection.sql("select distinct value from marts.mart_a").fetchall()
    parquet = str(home.current / "parquet" / "mart_a.parquet")
    assert duckdb.read_parquet(parquet).project("value").distinct().fetchall() == values
    return values
