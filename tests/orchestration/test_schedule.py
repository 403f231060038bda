"""When the night begins: as Dagster's own scheduler says, also where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from evaluators.catalogue.entries import Settings
from orchestration.defs.automation import nightly_schedule
from orchestration.nights.schedule import next_tick


def settings(zone: str, at: str) -> Settings:
    return Settings.model_validate({"time_zone": zone, "nightly_at": at})


@pytest.mark.parametrize("at", ["00:00", "01:30", "02:00", "02:30", "03:00"])
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", "2027-03-28"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2027-03-14"),
        ("America/Santiago", "2026-09-06"),  # at midnight
        ("Australia/Lord_Howe", "2026-10-04"),  # by half an hour
    ],
)
def test_the_next_night_is_the_schedules_next_tick(zone: str, day: str, at: str) -> None:
    schedule = nightly_schedule(settings(zone, at))
    begin = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=36)
    # The daemon goes on from its last tick, days before as well as in the hour that is there twice.
    ticks = schedule_execution_time_iterator(
        begin.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone
    )
    meant = [next(ticks) for _ in range(5)]
    for minutes in range(0, 72 * 60, 15):
        now = begin + timedelta(minutes=minutes)
        assert next_tick(settings(zone, at), now) == next(tick for tick in meant if tick >= now)


def test_a_time_that_is_left_out_and_one_that_is_there_twice() -> None:
    left_out, twice = (settings("Europe/Berlin", "02:30") for _ in range(2))
    assert next_tick(left_out, datetime(2027, 3, 27, 12, tzinfo=UTC)).isoformat() == "2027-03-28T03:00:00+02:00"
    assert next_tick(twice, datetime(2026, 10, 24, 12, tzinfo=UTC)).isoformat() == "2026-10-25T02:30:00+01:00"
