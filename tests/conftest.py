"""What takes dbt to build, and more than one folder of tests looks at: made once a session. Do not write to it."""

from __future__ import annotations

import os

# Before anything loads torch: its threads wait for a moment only, else the suite crawls on a machine that is shared.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from functools import partial

import pytest

from evaluators.leaderboards.formats import date_in_name, read
from evaluators.leaderboards.states import import_state
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.built_once import built_once
from tests.support.dbt_runner import dbt_build
from tests.support.doubtful_night import build_night
from tests.support.metered_nights import build_homes
from tests.support.states import NO_REAL_STATES, REAL
from tests.support.stopped_night import StoppedNight, build_stopped_night

STUDY_DAY = "2025-01-09"

# What `make quick` leaves out: nights, kills, browsers, dbt builds, and files that evaluate models again and again.
_LONG_FOLDERS = {"browser", "faults"}
_LONG_FIXTURES = {"built", "doubtful_night", "homes", "stopped_night", "study_home"}
_LONG_FILES = {
    "test_complaints.py",
    "test_definitions.py",
    "test_gate.py",
    "test_leaderboard_marts.py",
    "test_metrics.py",
    "test_night.py",
    "test_run.py",
    "test_shared_prefix.py",
    "test_short_windows.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        by_place = item.path.parent.name in _LONG_FOLDERS or item.path.name in _LONG_FILES
        if by_place or _LONG_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """Own evaluations after one night, two, a rebuild, decisions; and beside other machines: see `build_homes`."""
    return built_once(tmp_path_factory, "homes", lambda: build_homes(tmp_path_factory))


@pytest.fixture(scope="session")
def doubtful_night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[str]]:
    """A night with windows in doubt, and its runs: see `build_night`."""
    return built_once(tmp_path_factory, "doubtful night", lambda: build_night(tmp_path_factory))


@pytest.fixture(scope="session")
def stopped_night(tmp_path_factory: pytest.TempPathFactory) -> StoppedNight:
    """A night in which not everything was asked: see `build_stopped_night`."""
    return built_once(tmp_path_factory, "stopped night", lambda: build_stopped_night(tmp_path_factory))


@pytest.fixture(scope="session")
def study_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The leaderboard's real states, built and not published."""
    if not REAL:
        pytest.skip(NO_REAL_STATES)
    return built_once(tmp_path_factory, "study", lambda: _study(Home(tmp_path_factory.mktemp("study"))))


def _study(home: Home) -> Home:
    # In two builds and out of order, as states may arrive: the study's day comes last, and so does the newest.
    late = [path for path in REAL if STUDY_DAY in path.name or path == REAL[-1]]
    for batch in ([path for path in REAL if path not in late], late):
        for path in reversed(batch):
            day = date_in_name(path)
            assert day is not None
            import_state(partial(read, path), day, path.name, home.landing, home.quarantine)
        warehouse.load(home)
        dbt_build(home, "--exclude", "resource_type:unit_test")
    return home
