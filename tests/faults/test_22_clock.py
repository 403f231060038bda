"""22. Clock step, daylight saving: UTC timestamps, durations from the monotonic clock.

The clock is the kernel's, set wrong for one process by a library that is loaded before libc.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from evaluators.catalogue.entries import Settings
from orchestration.defs.automation import nightly_schedule
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support import tiny
from tests.support.evaluations import rows, save_workplace, specs, start_evaluator

COMPILER = shutil.which("cc") or shutil.which("gcc")
WRONG_CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long wrong_by(void) {
    char text[32] = "";
    int file = open(getenv("WRONG_BY"), O_RDONLY);
    if (file < 0) return 0;
    long length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? atol(text) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += wrong_by();
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler to make a wrong clock with")


def run_with_clock(folder: Path, wrong_by: timedelta, **variables: str) -> float:
    """Evaluate what is due where the clock is wrong. Returns the seconds that it took."""
    source, library, offset = folder / "clock.c", folder / "clock.so", folder / "wrong_by"
    source.write_text(WRONG_CLOCK)
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, source], check=True)
    offset.write_text(str(round(wrong_by.total_seconds())))
    (spec,) = specs(folder)
    started = time.perf_counter()
    variables |= {"LD_PRELOAD": str(library), "WRONG_BY": str(offset)}
    process = start_evaluator(folder, spec, environment=variables)
    _, said = process.communicate(timeout=1500)
    assert process.returncode == 0, said
    return time.perf_counter() - started


def emissions(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["task"], row["phase"]): row for row in rows(folder, "task_emissions")}


@needs_compiler
def test_a_step_in_the_middle_of_a_run_changes_no_duration(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one", "tiny_two", meter="codecarbon")
    step = timedelta(hours=-2)
    # When the first task has been answered, the clock is set.
    seconds = round(step.total_seconds())
    (tmp_path / "tasks" / "clock.py").write_text(
        f"import os\n\ndef mean(values):\n    open(os.environ['WRONG_BY'], 'w').write('{seconds}')\n"
        "    return sum(values) / len(values)\n"
    )
    tiny.use_function(tmp_path / "tasks", "tiny_one", "aggregation", "clock.mean")
    took_s = run_with_clock(tmp_path, timedelta())
    found = emissions(tmp_path)
    apart = found["tiny_two", "inference"]["started_at"] - found["tiny_one", "inference"]["started_at"]
    assert timedelta() < apart - step < timedelta(seconds=took_s + 1), "the clock was not set"
    assert all(row["duration_s"] > 0 for row in found.values())
    assert sum(row["duration_s"] for row in found.values()) < took_s
    assert all("clock_mismatch" not in str(row["quality_flags"]) for row in found.values())
    (run,) = rows(tmp_path, "evaluation_runs")
    assert run["status"] == "completed"
    assert 0 < run["duration_s"] < took_s
    assert warehouse.load(Home(tmp_path / "data")).quarantined == []


@needs_compiler
def test_in_the_hour_that_comes_twice_timestamps_are_utc(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one")
    # 02:59:50 in Berlin, ten seconds before it is 02:00 again
    summer = datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC)
    took_s = run_with_clock(tmp_path, summer - datetime.now(UTC), TZ="Europe/Berlin")
    ends = summer + timedelta(seconds=took_s + 2)
    for row in rows(tmp_path, "task_emissions"):
        assert summer <= row["started_at"] <= row["ended_at"] <= ends
        assert (row["ended_at"] - row["started_at"]).total_seconds() == pytest.approx(row["duration_s"], abs=60)
    home = Home(tmp_path / "data")
    warehouse.load(home)
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        connection.execute("set TimeZone = 'America/New_York'")  # a reader's zone changes no instant
        query = "select epoch(min(started_at)), epoch(max(ended_at)) from raw.task_emissions"
        first, last = connection.sql(query).fetchall()[0]
    assert summer.timestamp() <= first <= last <= ends.timestamp()


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_night_of_daylight_saving_begins_once(day: str) -> None:
    zone = "Europe/Berlin"  # where 02:30 is left out in March and comes twice in October
    schedule = nightly_schedule(Settings(time_zone=zone, nightly_at="02:30"))
    noon_before = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)) - timedelta(days=1)
    ticks = schedule_execution_time_iterator(noon_before.timestamp(), schedule.cron_schedule, zone, ascending=True)
    nights = [next(ticks).astimezone(UTC) for _ in range(3)]
    dates = [night.astimezone(ZoneInfo(zone)).date().isoformat() for night in nights]
    assert dates[0] == day
    assert len(set(dates)) == 3
