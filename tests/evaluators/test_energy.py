"""Windows, the rules on them, and the real meter on this machine."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
import time
from typing import get_args, get_type_hints

import psutil
import pytest

from evaluators.catalogue.entries import Settings
from evaluators.energy import OWN_TIME, Ledger, MeterFailed, Reading, make_meter, quality, sum_of
from evaluators.energy import cpu_time as cpu_times
from evaluators.energy.codecarbon import CodecarbonMeter
from evaluators.energy.cpu_time import CpuTime
from evaluators.energy.grid import grid
from evaluators.energy.none import NoMeter
from evaluators.energy.replay import ReplayMeter
from evaluators.energy.windows import GpuState
from tests.support.readings import READING, reading


def test_energy_is_the_sum_of_the_boundary() -> None:
    assert READING.boundary == "gpu+cpu+ram"
    assert READING.energy_kwh == pytest.approx(0.008)
    without_gpu = reading(gpu_method="absent", gpu_energy_kwh=None)
    assert without_gpu.boundary == "cpu+ram"
    assert without_gpu.energy_kwh == pytest.approx(0.003)


def test_one_unknown_component_makes_the_sum_unknown() -> None:
    assert reading(gpu_energy_kwh=None).energy_kwh is None


@pytest.mark.parametrize(
    ("gpu_energy_kwh", "flag"),
    [(-0.001, "negative"), (math.nan, "not_finite"), (math.inf, "not_finite"), (0.0, "stuck"), (5000.0, "absurd")],
)
def test_a_doubtful_component_is_null_with_a_flag_and_a_reason(gpu_energy_kwh: float, flag: str) -> None:
    examined = quality.examine(reading(gpu_energy_kwh=gpu_energy_kwh))
    assert examined.gpu_energy_kwh is None
    assert examined.energy_kwh is None
    assert examined.cpu_energy_kwh == READING.cpu_energy_kwh
    assert examined.flags == (flag,)
    assert quality.note(examined)


def test_a_good_reading_passes_unchanged() -> None:
    assert quality.examine(READING) == quality.examine_phase(READING) == READING


def test_a_short_phase_is_marked() -> None:
    assert quality.examine_phase(reading(duration_s=0.99)).flags == ("too_short",)
    assert quality.examine_phase(reading(duration_s=1.0)).flags == ()


@pytest.mark.parametrize("method", ["measured", "integrated", "modelled"])
def test_an_energy_with_a_busy_neighbours_in_it_is_flagged(method: str) -> None:
    machine_s = 10.0 * (os.cpu_count() or 1)
    quiet, busy = reading(foreign_cpu_s=0.09 * machine_s), reading(foreign_cpu_s=0.11 * machine_s)
    assert quality.examine_phase(dataclasses.replace(quiet, cpu_method=method)).flags == ()
    assert quality.examine_phase(dataclasses.replace(busy, cpu_method=method)).flags == ("foreign_load",)
    # Its own CPU time is all that a model by it sees, and no processor is inside the boundary of a GPU alone.
    assert (
        quality.examine_phase(dataclasses.replace(busy, cpu_method=OWN_TIME, foreign_cpu_s=0.79 * machine_s)).flags
        == ()
    )
    crowded = dataclasses.replace(busy, cpu_method=OWN_TIME, foreign_cpu_s=0.81 * machine_s)
    assert quality.examine_phase(crowded).flags == ("foreign_load",)
    assert quality.examine_phase(dataclasses.replace(busy, cpu_method="absent")).flags == ()


def test_a_foreign_load_is_said_with_its_size_and_its_makers() -> None:
    machine_s = 10.0 * (os.cpu_count() or 1)
    busy = quality.examine_phase(reading(foreign_cpu_s=0.47 * machine_s, foreign_programs="python3 46%, rsync 1%"))
    assert quality.note(busy) == "other programs took 47% of the machine's CPU time (python3 46%, rsync 1%)"


def test_a_phase_shorter_than_ten_updates_is_not_judged_for_foreign_load() -> None:
    assert quality.examine_phase(reading(duration_s=0.9, foreign_cpu_s=0.9 * (os.cpu_count() or 1))).flags == (
        "too_short",
    )


def test_no_own_cpu_time_is_no_energy_and_no_sensor_that_stands_still() -> None:
    asleep = reading(cpu_energy_kwh=0.0, cpu_method=OWN_TIME)
    assert quality.examine(asleep) == asleep
    assert quality.examine(dataclasses.replace(asleep, cpu_method="measured")).flags == ("stuck",)


@pytest.mark.parametrize(
    ("codecarbon_kwh", "duration_s", "agrees"),
    [(0.0104, 1000.0, True), (0.0106, 1000.0, False), (0.0094, 1000.0, False), (0.0106, 2.0, True), (0.0, 10.0, False)],
)
def test_a_gpus_counter_and_codecarbon_may_differ_by_5_percent_and_the_counters_updates(
    codecarbon_kwh: float, duration_s: float, agrees: bool
) -> None:
    assert quality.gpu_agrees(0.01, codecarbon_kwh, duration_s) == agrees


def test_a_phase_has_the_gpus_worst_state() -> None:
    hot = reading(gpu_state=GpuState(80.0, 1200.0, 300.0, throttled=True))
    cool = reading(gpu_state=GpuState(60.0, 1900.0, 300.0, throttled=False))
    ledger = Ledger(ReplayMeter([READING, cool, hot, cool]))
    for _ in range(4):
        ledger.switch("inference")
    assert ledger.settle()["inference"].gpu_state == GpuState(80.0, 1200.0, 300.0, throttled=True)


def _busy_s() -> float:
    """CPU seconds of the machine so far, whoever's they were."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def test_cpu_time_tells_own_from_foreign() -> None:
    spin = "import time; end = time.process_time() + 60\nwhile time.process_time() < end: pass"
    # Its parent ends at once, so the program belongs to nobody here.
    started = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" > /dev/null 2>&1 & echo $!', sys.executable, spin],
        capture_output=True,
        text=True,
        check=True,
    )
    neighbour = psutil.Process(int(started.stdout))
    try:
        cpu_time = CpuTime()
        machine_s = -_busy_s()
        cpu_time.start()
        started_at = time.perf_counter()
        before, deadline = sum(neighbour.cpu_times()[:2]), time.monotonic() + 60
        while sum(neighbour.cpu_times()[:2]) < before + 0.5 and time.monotonic() < deadline:
            time.sleep(0.01)
        mine = time.process_time() + 0.5
        while time.process_time() < mine:
            pass
        cpu_time.stop()
        window = cpu_time.window(time.perf_counter() - started_at)
        machine_s += _busy_s()
    finally:
        neighbour.kill()
    assert window.own_s > 0.4
    assert 0.4 < window.foreign_s < machine_s - window.own_s + 0.1
    assert window.programs is not None


@pytest.mark.parametrize("ended", [False, True])
def test_the_time_of_its_children_is_its_own(ended: bool) -> None:
    spin = "import time\nwhile time.process_time() < 0.5: pass\nprint('done', flush=True)\ninput()"
    cpu_time = CpuTime()
    cpu_time.start()
    with subprocess.Popen([sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        if ended:
            child.kill()
            child.wait()
        cpu_time.stop()
    assert cpu_time.window(1.0).own_s > 0.4


def test_a_long_look_at_other_programs_is_not_in_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = CodecarbonMeter(country_iso_code="USA", gpu_uuid=None)
    try:
        meter.start()
        # As it is on a busy machine with thousands of processes.
        monkeypatch.setattr(cpu_times, "_LEAST_NAMED", -1.0)
        monkeypatch.setattr(cpu_times, "_others", lambda: time.sleep(1) or {})
        assert "clock_mismatch" not in meter.stop().flags
    finally:
        meter.close()


def test_an_absent_component_never_shows_an_energy() -> None:
    assert quality.examine(reading(gpu_method="absent", gpu_energy_kwh=0.0)).gpu_energy_kwh is None


def test_ledger_adds_up_the_windows_of_a_phase() -> None:
    scoring, inference = reading(duration_s=2.0), reading(duration_s=3.0, flags=("clock_mismatch",))
    ledger = Ledger(ReplayMeter([scoring, inference, scoring, inference, scoring]))
    for phase in ("scoring", "inference", "scoring", "inference", "scoring"):
        ledger.switch(phase)
    totals = ledger.settle()
    assert totals["scoring"].duration_s == pytest.approx(6.0)
    assert totals["inference"].energy_kwh == pytest.approx(0.016)
    assert totals["inference"].flags == ("clock_mismatch",)
    assert ledger.settle() == {}


def test_short_windows_of_a_phase_are_judged_together() -> None:
    """As of a task that is asked in chunks: none of them lasts a second, and other programs took all of one."""
    machine_s = float(os.cpu_count() or 1)
    chunk = reading(duration_s=0.4, foreign_cpu_s=0.0)
    beside_others = reading(duration_s=0.4, foreign_cpu_s=0.4 * machine_s)

    def settled(*windows: Reading) -> Reading:
        ledger = Ledger(ReplayMeter(windows))
        for _ in windows:
            ledger.switch("inference")
        return ledger.settle()["inference"]

    assert settled(chunk, chunk).flags == ("too_short",)
    assert settled(chunk, chunk, chunk).flags == ()
    assert settled(chunk, chunk, chunk).energy_kwh == pytest.approx(3 * 0.008)
    assert settled(chunk, beside_others).flags == ("too_short",)
    assert settled(chunk, chunk, beside_others).flags == ("foreign_load",)
    assert settled(*[chunk] * 13, beside_others).flags == ()
    # A sensor that failed in one of them has failed for the phase.
    failed = dataclasses.replace(chunk, gpu_energy_kwh=None, flags=("gpu_lost",))
    assert settled(chunk, failed, chunk).flags == ("gpu_lost",)
    assert settled(chunk, failed, chunk).energy_kwh is None


def test_a_sensor_may_not_move_in_a_short_window_but_in_a_phase() -> None:
    still, moved = reading(duration_s=0.4, gpu_energy_kwh=0.0), reading(duration_s=0.4)

    def settled(*windows: Reading) -> tuple[float | None, tuple[str, ...]]:
        ledger = Ledger(ReplayMeter(windows))
        for _ in windows:
            ledger.switch("inference")
        total = ledger.settle()["inference"]
        return total.gpu_energy_kwh, total.flags

    assert settled(still) == (None, ("too_short",))
    assert settled(still, still, still) == (None, ("stuck",))
    assert settled(still, moved, still) == (0.005, ())
    assert settled(moved, reading(gpu_energy_kwh=0.0)) == (None, ("stuck",)), (
        "a sensor that stood still for ten seconds"
    )


def test_whether_a_part_took_long_enough_is_asked_of_all_parts_together() -> None:
    ledger = Ledger(ReplayMeter([reading(duration_s=0.6)] * 2))
    found = []
    for _ in range(2):
        ledger.switch("inference")
        found.append(ledger.settle_part()["inference"])
    assert [part.flags for part in found] == [(), ()]
    together = sum_of(found)
    assert (together.duration_s, together.flags) == (1.2, ())
    assert sum_of(found[:1]).flags == ("too_short",)


def test_where_nothing_is_metered_nothing_is_too_short() -> None:
    ledger = Ledger(NoMeter())
    ledger.switch("inference")
    assert ledger.settle()["inference"].flags == ()


def test_a_phase_with_one_unknown_window_is_unknown() -> None:
    ledger = Ledger(ReplayMeter([READING, reading(cpu_energy_kwh=None)]))
    ledger.switch("inference")
    ledger.switch("inference")
    assert ledger.settle()["inference"].energy_kwh is None


def test_replay_says_when_its_readings_are_used_up() -> None:
    meter = ReplayMeter([])
    meter.start()
    with pytest.raises(MeterFailed, match="fewer replayed readings than windows"):
        meter.stop()


def test_codecarbon_meters_this_machine_and_names_its_method() -> None:
    meter = make_meter("codecarbon", country_iso_code="USA")
    try:
        meter.start()
        total = sum(math.sqrt(i) for i in range(2_000_000))
        measured = meter.stop()
    finally:
        meter.close()
    assert total > 0
    assert measured.duration_s > 0
    assert measured.gpu_method == "absent"
    assert measured.gpu_energy_kwh is None
    assert measured.cpu_method in {"measured", OWN_TIME}
    assert measured.cpu_energy_kwh is not None
    assert measured.ram_energy_kwh is not None
    assert measured.energy_kwh == pytest.approx(measured.cpu_energy_kwh + measured.ram_energy_kwh)


def test_without_a_sensor_energy_is_in_proportion_to_own_cpu_time() -> None:
    meter = make_meter("codecarbon", country_iso_code="USA")
    try:
        if meter.cpu_method != OWN_TIME:
            pytest.skip("this machine measures its processor")
        windows = []
        for cpu_s in (0.2, 0.6):
            meter.start()
            end = time.process_time() + cpu_s
            while time.process_time() < end:
                pass
            windows.append(meter.stop())
    finally:
        meter.close()
    little, much = windows
    assert much.own_cpu_s > little.own_cpu_s >= 0.2
    more = much.own_cpu_s / little.own_cpu_s
    assert much.cpu_energy_kwh / little.cpu_energy_kwh == pytest.approx(more, rel=1e-6)
    assert much.ram_energy_kwh / little.ram_energy_kwh == pytest.approx(more, rel=1e-6)


def test_no_meter_covers_nothing_and_says_so() -> None:
    meter = make_meter("none", country_iso_code="USA")
    meter.start()
    measured = meter.stop()
    assert measured.boundary == "none"
    assert measured.energy_kwh is None


def test_an_unknown_meter_is_refused_and_the_catalogue_has_the_known_ones() -> None:
    known = ", ".join(get_args(get_type_hints(Settings)["meter"]))
    with pytest.raises(ValueError, match=f"known: {known}$"):
        make_meter("wattmeter", country_iso_code="USA")


def test_grid_of_countries_and_regions_offline() -> None:
    usa, virginia = grid("USA", None, None), grid("USA", "virginia", None)
    assert 100 < virginia.intensity_g_per_kwh < usa.intensity_g_per_kwh < 1000
    assert "virginia" in virginia.source
    assert grid("USA", None, 12.5).source == "catalogue.yml"


@pytest.mark.parametrize(("country", "region"), [("XXX", None), ("USA", "nowhere"), ("DEU", "bavaria")])
def test_an_unknown_grid_is_refused_rather_than_replaced(country: str, region: str | None) -> None:
    with pytest.raises(ValueError, match="grid_intensity_g_per_kwh"):
        grid(country, region, None)
