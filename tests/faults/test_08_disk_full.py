"""Fault 8: the disk is full.

Exit code not 0 with a clear error, the old marts live, no half file; codecarbon's silent None is caught.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from evaluators import durable
from evaluators.energy import make_meter
from evaluators.landing import bundles
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse.publication import publish
from orchestration.warehouse.versions import PublicationRefused
from tests.support.processes import evaluator
from tests.support.small_marts import build_marts
from tests.support.workplace import HELD_TASK, TASKS, Workplace

SmallDisk = Callable[[Path], Path]


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """Mounts a file system of 16 MB at a folder; returns the path of a file that may fill it."""
    mounted: list[Path] = []

    def mount(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"a small tmpfs cannot be mounted here, which needs root: {done.stderr.strip()}")
        mounted.append(folder)
        return folder / "filler"

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    assert os.statvfs(path).f_bavail == 0


def test_08_an_evaluation_on_a_full_disk_says_so_and_leaves_no_half_file(
    held_workplace: Workplace, small_disk: SmallDisk
) -> None:
    place, home = held_workplace, held_workplace.home
    filler = small_disk(home.path)
    spec = place.write_spec()
    with evaluator(spec) as starved:
        starved.wait_for_file(place.held)
        fill(filler)
        place.let_go()
        assert starved.end() == 1
    assert "No space left on device: what was finished is kept; make room, then run again" in starved.said
    assert "Traceback" not in starved.said
    assert {row["task"] for row in place.rows("task_results")} == {TASKS[0]}
    assert not list(home.landing.rglob(f"{durable.TEMPORARY}*"))
    for bundle in bundles.bundles(home.landing):
        for file in bundle.files.values():
            bundles.verify(file)

    filler.unlink()
    assert warehouse.load(home).interrupted == [spec.stem]
    with evaluator(place.write_spec()) as again:
        assert again.end() == 0, again.said
    assert sorted(str(row["task"]) for row in place.rows("task_results")) == sorted([HELD_TASK, *TASKS])


def test_08_a_publication_on_a_full_disk_is_refused_and_the_old_marts_live(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    home = Home(tmp_path / "home")
    filler = small_disk(home.path)
    build_marts(home, 1)
    before = publish(home)
    build_marts(home, 2)
    fill(filler)
    with pytest.raises(PublicationRefused, match=r"the current version stays: .*No space left on device"):
        publish(home)
    assert [path.name for path in (home.published / "versions").iterdir()] == [before.build_id]
    with duckdb.connect(home.marts, read_only=True) as connection:
        assert connection.sql("select distinct value from marts.mart_a").fetchall() == [(1,)]
    filler.unlink()
    publish(home)
    with duckdb.connect(home.marts, read_only=True) as connection:
        assert connection.sql("select distinct value from marts.mart_a").fetchall() == [(2,)]


def test_08_codecarbons_silence_is_null_and_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """codecarbon answers None where it failed, a full disk included, and only logs why."""
    meter = make_meter("codecarbon", country_iso_code="USA")
    meter.start()
    monkeypatch.setattr(meter._tracker, "stop_task", lambda: None)  # type: ignore[attr-defined]
    measured = meter.stop()
    assert measured.energy_kwh is None
    assert "meter_failed" in measured.flags
    monkeypatch.undo()
    meter.close()
