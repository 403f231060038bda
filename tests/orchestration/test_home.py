"""Where state may lie: what would end up beside it is refused before anything is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.home import Home, HomeRefused
from orchestration.instance.names import DEVICE_POOL
from orchestration.instance.opening import open_instance


@pytest.mark.parametrize("name", ["a?b", "50%", "a%20b", "a#b", "?", "[a]", "a*", "line\nbreak", "tab\t"])
def test_a_home_that_reads_as_a_url_or_a_pattern_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("EVALWATT_HOME", str(tmp_path / name / "home"))
    with pytest.raises(HomeRefused, match="rename the folder, or name another one"):
        Home.from_env()


def test_a_refused_home_is_one_sentence_and_wrong_use(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "orchestration.cli", "status", "--home", str(tmp_path / "a?b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: EVALWATT_HOME '{tmp_path}/a?b' has '?' in its path;")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_dagsters_instance_lies_in_a_home_with_any_other_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / """it's a {b}; $H & "q" ü+@=,:x"""
    monkeypatch.setenv("EVALWATT_HOME", str(place))
    for _ in range(2):  # the second time it is found again
        with open_instance(Home.from_env()) as instance:
            assert DEVICE_POOL in instance.event_log_storage.get_concurrency_keys()
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert (place / "dagster" / "history" / "runs.db").is_file()
