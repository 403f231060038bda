"""Fault 2: a kill between writing a temporary file and its rename.

The temporary file is invisible to the loader, and is swept later.
"""

from __future__ import annotations

import signal

from conftest import TASKS, Workplace
from processes import python

from evaluators import landing
from orchestration import warehouse

KILLED_AT_THE_SECOND_TASK = """
import os, pathlib, signal, sys
from evaluators import landing
from evaluators.__main__ import main
rename, landed = pathlib.Path.rename, []
def killing(self, target):
    if landing.is_task_bundle(pathlib.Path(target).name):
        landed.append(target)
    if len(landed) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.rename = killing
sys.exit(main(sys.argv[1:]))
"""


def test_02_a_bundle_that_was_written_and_not_renamed_is_invisible_and_swept(workplace: Workplace) -> None:
    home = workplace.home
    with python("-c", KILLED_AT_THE_SECOND_TASK, workplace.write_spec(), cwd=workplace.path) as evaluator:
        assert evaluator.end() == -signal.SIGKILL, evaluator.said
    (leftover,) = home.landing.rglob(f"{landing.TEMPORARY}*")
    assert list(leftover.glob("*.parquet")), "killed too early: nothing is written yet"
    assert {row["task"] for row in workplace.rows("task_results")} == {TASKS[0]}

    report = warehouse.load(home)
    assert (report.loaded_runs, report.quarantined) == (1, [])
    assert report.row_counts["task_results"] == 1
    assert not leftover.exists()
