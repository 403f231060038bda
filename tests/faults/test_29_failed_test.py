"""29. An error-severity data test fails: nothing is published; the failing rows are kept for inspection."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.home import Home
from orchestration.instance.opening import open_instance
from tests.support.evaluations import evalwatt
from tests.support.night import Night, the_night


@pytest.fixture
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return the_night(tmp_path_factory)


def test_the_last_version_stays_and_the_message_says_where_the_rows_are(night: Night, tmp_path: Path) -> None:
    shutil.copytree(night.folder, tmp_path / "night", symlinks=True)
    home = Home(tmp_path / "night" / "data")
    before = os.readlink(home.current)
    with duckdb.connect(home.warehouse) as connection:  # past the loader, which would have refused it
        connection.execute("update raw.task_emissions set energy_kwh = -7 where phase = 'inference'")
        harmed = connection.sql("select count(*) from raw.task_emissions where energy_kwh = -7").fetchall()[0][0]
    assert harmed > 0
    ended = evalwatt(tmp_path / "night", "build")
    assert ended.returncode == 1
    assert "Error: nothing was published: " in ended.stderr
    assert "the last version stays" in ended.stderr
    assert str(home.warehouse) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert os.readlink(home.current) == before
    assert len(list((home.published / "versions").iterdir())) == 1

    kept = [line.rpartition("kept in ")[2] for line in ended.stderr.splitlines() if "kept in failures." in line]
    assert kept, ended.stderr
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        rows = [row for table in kept for row in connection.sql(f"select * from {table}").fetchall()]
    assert any(-7 in row for row in rows)

    with open_instance(home) as instance:  # the check's page in Dagster says the same
        (run,) = instance.get_runs(dg.RunsFilter(job_name="refresh"), limit=1)
        entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        checks = [entry.get_dagster_event().asset_check_evaluation_data for entry in entries]
    remedies = [
        str(check.metadata["remedy"].value) for check in checks if not check.passed and "remedy" in check.metadata
    ]
    assert len(remedies) == len(kept)
    assert all(any(f"select * from {table}\n" in remedy for remedy in remedies) for table in kept)
    assert not any("remedy" in check.metadata for check in checks if check.passed)
