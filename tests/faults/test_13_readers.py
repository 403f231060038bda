"""Fault 13: readers at full speed during 20 publications.

0 errors, 0 torn reads, no version goes backwards.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.home import Home
from orchestration.warehouse.publication import publish
from tests.support.readers import readers
from tests.support.small_marts import build_marts

PUBLICATIONS = 20


def test_13_readers_see_whole_versions_that_never_go_back(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    build_marts(home, 0)
    builds = [publish(home).build_id]
    with readers(home.path, tmp_path) as seen:
        for number in range(1, PUBLICATIONS + 1):
            build_marts(home, number)
            with duckdb.connect(home.warehouse) as connection:  # each version has other row counts than the others
                connection.execute("insert into marts.mart_a select 0, 'y' from range(?)", [number])
            builds.append(publish(home, keep=2).build_id)
    assert (seen.errors, seen.torn, seen.backwards) == ((), 0, 0)
    assert seen.reads > PUBLICATIONS
    assert len(seen.builds) > 2
    assert set(seen.builds) <= set(builds)
