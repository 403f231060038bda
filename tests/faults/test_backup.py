"""The backup of docs/operation.md, by its own commands, while an evaluation runs: a rebuilt copy has the same marts."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from evaluators import durable
from evaluators.landing import bundles, lifecycle
from orchestration.home import PROJECT, Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.landed_files import raw_tables
from tests.support.landing_builder import START, BuiltRun
from tests.support.two_nights import SOME_MARTS


def commands(beginning: str) -> list[str]:
    """The indented lines after the paragraph that begins so."""
    text = (PROJECT / "docs" / "operation.md").read_text()
    block = text.partition(f"\n{beginning}")[2].partition("\n\n")[2].partition("\n\n")[0]
    return [line.removeprefix("    ") for line in block.splitlines()]


def shell(lines: list[str], home: Home, backup: Path) -> None:
    environment = os.environ | {"EVALWATT_HOME": str(home.path), "BACKUP": str(backup)}
    subprocess.run(["bash", "-euc", "\n".join(lines)], env=environment, check=True)


@contextmanager
def evaluation(home: Home) -> Iterator[str]:
    """A run that lives and goes on writing bundles that do not get finished; yields its id."""
    run_id = bundles.new_run_id(START + timedelta(days=9))
    start = BuiltRun(home.landing, "base", []).end_row(run_id)
    lock = lifecycle.open_run(home.landing, start)
    (home.landing / run_id / f"{durable.TEMPORARY}half").mkdir()
    (home.landing / run_id / f"{durable.TEMPORARY}half" / "samples.parquet").write_bytes(b"half")
    ended, writing = threading.Event(), home.landing / run_id / f"{durable.TEMPORARY}more"

    def write() -> None:
        while not ended.is_set():
            writing.mkdir()
            (writing / "samples.parquet").write_bytes(bytes(100_000))
            (writing / "samples.parquet").unlink()
            writing.rmdir()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield run_id
    finally:
        ended.set()
        thread.join()
        lock.release()


def test_a_backup_of_a_living_home_gives_the_same_marts(
    home: Home, tmp_path: Path, marts: Callable[[Path], dict[str, list[tuple[Any, ...]]]]
) -> None:
    before, raw_before = marts(home.warehouse), raw_tables(home.warehouse)
    save, restore, backup = commands("Save, into"), commands("Restore, into"), tmp_path / "a backup"
    assert restore[-1] == "evalwatt rebuild"
    with evaluation(home) as alive:
        for _ in range(2):  # the second one replaces the first
            shell(save, home, backup)
    assert [path.name for path in backup.iterdir()] == ["evalwatt.tar"]

    elsewhere = Home(tmp_path / "elsewhere" / "home")
    shell(restore[:-1], elsewhere, backup)
    assert not list(elsewhere.landing.rglob(f"{durable.TEMPORARY}*"))
    report = warehouse.rebuild(elsewhere)
    assert (report.interrupted, report.quarantined) == ([alive], [])
    raw = raw_tables(elsewhere.warehouse)
    raw["evaluation_runs"] = [row for row in raw["evaluation_runs"] if row[0] != alive]
    assert raw == raw_before
    dbt_build(elsewhere, *SOME_MARTS)
    assert marts(elsewhere.warehouse) == before
