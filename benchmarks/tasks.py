"""The tasks of the comparisons: lm-eval's own on the benchmark data of EVALWATT_TEST_DATA, and the suite `mini`."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
from pathlib import Path

from evaluators.catalogue.entries import SuiteEntry

DATA = Path(os.environ.get("EVALWATT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
# Documents per task, so that one pass of `hf` takes minutes on two cores. Sharing saves more
# with more documents per few-shot prompt: BBH has 250 per task.
LIMITS = {
    "local_leaderboard_bbh_*": 20,
    "local_leaderboard_mmlu_pro": 40,
    "local_leaderboard_math_*": 4,
    "local_leaderboard_ifeval": 3,
    "local_gsm8k": 4,
    "local_*": 40,
    "mini_*": 24,
}
CHAT = ["mini_short_answers", "mini_instructions"]  # as the catalogue asks them


def written(folder: Path) -> list[str]:
    """Write the task files of the benchmark data to `folder`; returns the tasks' names, none without data."""
    if not (DATA / "make_tasks.py").is_file():
        return []
    subprocess.run([sys.executable, DATA / "make_tasks.py", folder], check=True, stdout=subprocess.DEVNULL)
    return sorted(path.stem for path in folder.glob("local_*.yaml"))


def suite_of(folder: Path, patterns: str, limit: int | None) -> SuiteEntry:
    """A suite of the tasks whose names contain one of the comma-separated patterns; `*` for all.

    Writes task files to `folder`. `limit` defaults to LIMITS. Ends the program if no task matches.
    """
    names = written(folder)
    if not names:
        print(f"No benchmark data in {DATA}: comparing only mini; set EVALWATT_TEST_DATA to the data's folder")
    names += ["mini_boolean", "mini_counting", "mini_dates", "mini_comparison", *CHAT]
    wanted = [name for name in names if any(fnmatch.fnmatch(name, f"*{pattern}*") for pattern in patterns.split(","))]
    if not wanted:
        raise SystemExit(f"no task's name contains {patterns}; tasks: {', '.join(names)}")
    tasks = [
        {
            "task": name,
            "limit": limit or next(count for pattern, count in LIMITS.items() if fnmatch.fnmatch(name, pattern)),
            "apply_chat_template": name in CHAT,
        }
        for name in wanted
    ]
    return SuiteEntry.model_validate(
        {"name": "compared", "description": "tasks compared", "include_path": str(folder), "tasks": tasks}
    )
