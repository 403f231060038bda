"""Fault 12: two nightly refreshes overlap.

The second waits, and says so; one that waits too long fails, and says why.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.landing_builder import BuiltRun, TaskOutcome
from tests.support.processes import python

# The first steps of the job `refresh`, with its own resources: dbt would only take longer.
LOAD = """
import sys
import dagster as dg
from orchestration.defs.raw_tables import raw_tables
from orchestration.defs.resources import Paths, RefreshLock, default_resources
paths = Paths(evalwatt_home=sys.argv[1], catalogue_file="")
resources = default_resources(paths)
resources["refresh_lock"] = RefreshLock(
    evalwatt_home=sys.argv[1], run_lock=resources["run_lock"], wait_s=float(sys.argv[2])
)
sys.exit(not dg.materialize([raw_tables], resources=resources, raise_on_error=False).success)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    BuiltRun(home.landing, "base", [TaskOutcome("mc", [True, False], 100.0)]).land()
    return home


def test_12_the_second_refresh_waits_for_the_first_and_says_so(home: Home) -> None:
    with python("-c", LOAD, home.path, "600") as second:
        with warehouse.refresh_lock(home):
            second.wait_for("another refresh of this EVALWATT_HOME is running; wait until it has ended")
            assert "waiting for up to 10 minutes" in second.said
            assert not home.warehouse.exists()
        assert second.end() == 0, second.said
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        assert connection.sql("select count(*) from raw.evaluation_runs").fetchall() == [(1,)]


def test_12_a_refresh_that_waits_too_long_fails_with_the_reason(home: Home) -> None:
    with warehouse.refresh_lock(home), python("-c", LOAD, home.path, "0.1") as second:
        assert second.end() == 1
        assert "WarehouseBusy: another refresh of this EVALWATT_HOME is running" in second.said
        assert not home.warehouse.exists()
