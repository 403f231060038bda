"""What the leaderboard's history costs: a hundred states imported, built and published, then one more.

The states are the real ones of EVALWATT_TEST_DATA, each used for several days in a row. Times are those of whole
processes; the build without any state shows the fixed cost of dbt and Dagster.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.subject import scratch, table
from benchmarks.tasks import DATA

STATES = 100
FIRST_DAY = date(2024, 12, 11)


def main() -> None:
    """Print a table of times, and the peak memory and published size."""
    real = sorted((DATA / "leaderboard").glob("*.parquet"))
    if not real:
        print(f"\nNo leaderboard states in {DATA}: skipping their benchmark; set EVALWATT_TEST_DATA to their folder")
        return
    with scratch() as folder:
        days = [Path(folder, f"contents_{FIRST_DAY + timedelta(days=day)}.parquet") for day in range(STATES + 1)]
        for day, path in enumerate(days):
            path.symlink_to(real[min(day * len(real) // STATES, len(real) - 1)])
        home, empty = Path(folder, "home"), Path(folder, "empty")
        rows = sum(pq.read_metadata(path).num_rows for path in days[:STATES])
        seconds(empty, "build")  # the first build of a home sets up Dagster and dbt
        steps = [
            ("build, no states at all", seconds(empty, "build")),
            (f"import {STATES} states, {rows} rows", seconds(home, "import-leaderboard", *days[:STATES])),
            ("build and publish them", seconds(home, "build")),
            ("build, nothing new", seconds(home, "build")),
            ("import one more", seconds(home, "import-leaderboard", days[STATES])),
            ("build and publish it", seconds(home, "build")),
        ]
        size = sum(
            path.stat().st_size for path in (home / "published" / "current").resolve().rglob("*") if path.is_file()
        )
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print("\n### The leaderboard's history\n")
    rows = [(step, f"{wall:.1f}", f"{cpu:.1f}") for step, (wall, cpu) in steps]
    print(table([("step", "seconds", "CPU seconds"), *rows]))
    print(f"\nPeak memory of one process {memory:.2f} GiB, published {size / 2**20:.0f} MiB")


def seconds(home: Path, *arguments: str | Path) -> tuple[float, float]:
    """Elapsed seconds and CPU seconds."""
    command: Sequence[str | Path] = [sys.executable, "-m", "orchestration.cli", *arguments]
    started, busy = time.perf_counter(), _busy()
    subprocess.run(command, check=True, env=os.environ | {"EVALWATT_HOME": str(home)}, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started, _busy() - busy


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
