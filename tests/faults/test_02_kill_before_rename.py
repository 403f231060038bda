"""Fault 2: a kill between writing a temporary file and its rename.

The temporary file is invisible to the loader, and is swept later.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from evaluators import durable
from evaluators.landing import bundles
from orchestration.warehouse import load as warehouse
from tests.support.processes import evaluator
from tests.support.workplace import TASKS, Workplace


def die_at_the_second_task() -> None:
    rename, tasks = Path.rename, []

    def rename_or_die(path: Path, target: Path) -> Path:
        tasks.extend([target] if bundles.is_task_bundle(target.name) else [])
        if len(tasks) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.rename = rename_or_die  # type: ignore[method-assign,assignment]


def test_02_a_bundle_that_was_written_and_not_renamed_is_invisible_and_swept(workplace: Workplace) -> None:
    home = workplace.home
    with evaluator(workplace.write_spec(), die_at_the_second_task) as killed:
        assert killed.end() == -signal.SIGKILL, killed.said
    (leftover,) = home.landing.rglob(f"{durable.TEMPORARY}*")
    assert list(leftover.glob("*.parquet")), "killed too early: nothing is written yet"
    assert {row["task"] for row in workplace.rows("task_results")} == {TASKS[0]}

    report = warehouse.load(home)
    assert (report.loaded_runs, report.quarantined) == (1, [])
    assert report.row_counts["task_results"] == 1
    assert not leftover.exists()
