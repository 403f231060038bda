"""What takes dbt to build, and more than one folder of tests looks at: made once a session. Do not write to it."""

from __future__ import annotations

from functools import partial

import pytest
from dbt_runner import dbt_build
from metered_nights import build_homes
from states import NO_REAL_STATES, REAL

from evaluators.leaderboards.formats import date_in_name, read
from evaluators.leaderboards.states import import_state
from orchestration import warehouse
from orchestration.home import Home

STUDY_DAY = "2025-01-09"
BUILT_ONCE = {"homes": "built", "study_home": "built", "nights": "nights"}  # fixtures that take dbt minutes, by group


@pytest.hookimpl(tryfirst=True)  # xdist looks at the groups in this hook as well
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The processes of `make test` share the tests file by file; what looks at the same builds stays together."""
    for item in items:
        groups = [group for fixture, group in BUILT_ONCE.items() if fixture in getattr(item, "fixturenames", ())]
        item.add_marker(pytest.mark.xdist_group(groups[0] if groups else str(item.path)))


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """Own evaluations after one night, two, a rebuild, decisions; and beside other machines: see `build_homes`."""
    return build_homes(tmp_path_factory)


@pytest.fixture(scope="session")
def study_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The leaderboard's real states, built and not published."""
    if not REAL:
        pytest.skip(NO_REAL_STATES)
    home = Home(tmp_path_factory.mktemp("study"))
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
