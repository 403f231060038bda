"""19. Negative energy, counter reset, RAPL wrap: flagged, NULL, excluded; never summed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluators.energy import OWN_TIME, rapl
from evaluators.energy.capabilities import describe
from evaluators.energy.replay import ReplayMeter
from orchestration.home import Home
from tests.support.evaluations import evaluate_all, may_unshare, rows, save_workplace
from tests.support.landed_files import reason_of_refusal, with_value
from tests.support.readings import reading

# A processor with RAPL: codecarbon and our own reader see the files of `sys` where the kernel's are otherwise.
WITH_RAPL = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /sys/class && exec "$@"')
METER = """
import json, sys, time
from pathlib import Path
from evaluators.energy import make_meter
counter = Path(sys.argv[1])
meter = make_meter("codecarbon", country_iso_code="USA")
found = []
for steps in json.loads(sys.argv[2]):
    counter.write_text(str(steps[0]))
    meter.start()
    for microjoules in steps[1:]:
        time.sleep(1.1)  # codecarbon looks once a second
        counter.write_text(str(microjoules))
    answer = meter.stop()
    found.append([answer.cpu_method, answer.cpu_energy_kwh, answer.energy_kwh, answer.flags])
meter.close()
print(json.dumps(found))
"""
AS_DOCTOR_SAYS = """
import json
from evaluators.energy import make_meter
from evaluators.energy.capabilities import describe
meter = make_meter("codecarbon", country_iso_code="USA")
meter.start()
meter.stop()
said = describe("codecarbon", "USA", None, None).cpu_method
print(json.dumps([said, meter.cpu_method, meter._tracker._hardware[1]._mode]))
meter.close()
"""
RANGE = 262_143_328_850  # microjoules; then a counter begins again


MAY_MOUNT = pytest.mark.skipif(not may_unshare("-m"), reason="this machine does not let a process mount its own files")


def domain(powercap: Path, name: str, domain: str, *, readable: bool = True) -> None:
    """A domain of RAPL as the kernel shows it, with a link; `domain` is its folder's path under `intel-rapl`."""
    folder = powercap / "intel-rapl" / domain
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(str(RANGE))
    if readable:
        (folder / "energy_uj").write_text("1000000\n")
    else:
        (folder / "energy_uj").mkdir()  # permissions do not stop root
    (powercap / folder.name).symlink_to(folder.relative_to(powercap))
    (powercap / "intel-rapl" / "subsystem").mkdir(exist_ok=True)


@MAY_MOUNT
def test_a_processor_whose_counter_goes_back(tmp_path: Path) -> None:
    domain(tmp_path / "powercap", "package-0", "intel-rapl:0")
    steps = {
        "well": [1_000_000, 37_000_000],
        "wrapped": [RANGE - 1_000_000, 35_000_000],
        "reset": [80_000_000, 90_000_000, 0, 1_000_000],
    }
    command = [*WITH_RAPL, str(tmp_path), sys.executable, "-c", METER]
    done = subprocess.run(
        [*command, "/sys/class/powercap/intel-rapl:0/energy_uj", json.dumps(list(steps.values()))],
        capture_output=True,
        text=True,
        check=True,
    )
    well, wrapped, reset = json.loads(done.stdout)
    assert well[0] == "measured"
    assert well[1] == pytest.approx(36 / 3.6e6)
    assert well[3] == []
    for method, cpu_energy_kwh, energy_kwh, flags in (wrapped, reset):
        assert (method, cpu_energy_kwh, energy_kwh) == ("measured", None, None)
        assert flags == ["negative"]


PROCESSORS: dict[str, tuple[list[tuple[str, str, bool]], bool]] = {
    "two sockets": ([("package-0", "intel-rapl:0", True), ("package-1", "intel-rapl:1", True)], True),
    "one of two": ([("package-0", "intel-rapl:0", True), ("package-1", "intel-rapl:1", False)], False),
    "two dies": ([("package-0-die-0", "intel-rapl:0", True), ("package-0-die-1", "intel-rapl:1", True)], True),
    "one of two dies": ([("package-0-die-0", "intel-rapl:0", True), ("package-0-die-1", "intel-rapl:1", False)], False),
    "cores only": ([("package-0", "intel-rapl:0", False), ("core", "intel-rapl:0/intel-rapl:0:0", True)], False),
    "all but the cores": ([("package-0", "intel-rapl:0", True), ("core", "intel-rapl:0/intel-rapl:0:0", False)], True),
    "the platform only": ([("package-0", "intel-rapl:0", False), ("psys", "intel-rapl:1", True)], False),
    "no package": ([("psys", "intel-rapl:0", True)], False),
    "memory as well": ([("package-0", "intel-rapl:0", True), ("dram", "intel-rapl:0/intel-rapl:0:0", True)], True),
    "none": ([("package-0", "intel-rapl:0", False)], False),
    "no RAPL": ([], False),
}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_processor_is_measured_where_each_of_its_packages_can_be_read(tmp_path: Path, processor: str) -> None:
    domains, measured = PROCESSORS[processor]
    for name, folder, readable in domains:
        domain(tmp_path, name, folder, readable=readable)
    found = describe("codecarbon", "USA", None, None, rapl=tmp_path)
    assert found.cpu_method == ("measured" if measured else OWN_TIME)
    locked = [name for name, _, readable in domains if name.startswith("package") and not readable]
    assert [remedy for remedy in found.remedies if "RAPL" in remedy and "chmod" in remedy] == [
        f"RAPL cannot be read here for {', '.join(locked)}: sudo chmod a+r {tmp_path}/intel-rapl:*/energy_uj"
        for _ in locked[:1]
    ]


def test_a_package_with_two_interfaces_is_read_by_either(tmp_path: Path) -> None:
    domain(tmp_path, "package-0", "intel-rapl:0", readable=False)
    domain(tmp_path, "package-0", "intel-rapl-mmio:0")
    assert rapl.packages(tmp_path) == {"package-0": True}


@MAY_MOUNT
@pytest.mark.parametrize("processor", ["two sockets", "one of two", "cores only", "the platform only", "no package"])
def test_the_meter_calls_measured_what_doctor_does(tmp_path: Path, processor: str) -> None:
    domains, measured = PROCESSORS[processor]
    for name, folder, readable in domains:
        domain(tmp_path / "powercap", name, folder, readable=readable)
    command = [*WITH_RAPL, str(tmp_path), sys.executable, "-c", AS_DOCTOR_SAYS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    method, mode = ("measured", "intel_rapl") if measured else (OWN_TIME, "cpu_load")
    assert json.loads(done.stdout) == [method, method, mode]


@pytest.mark.parametrize(
    ("after", "back"),
    [
        ({"package-0": 5, "package-1": 9}, False),
        ({"package-0": 4, "package-1": 10}, True),
        ({"package-1": 10}, True),
    ],
)
def test_one_counter_among_several(after: dict[str, int], back: bool) -> None:
    assert rapl.went_back({"package-0": 5, "package-1": 9}, after) == back


def test_a_negative_figure_lands_as_null_and_is_in_no_sum(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one")
    (summary,) = evaluate_all(
        tmp_path, ReplayMeter([reading(), reading(), reading(), *[reading(cpu_energy_kwh=-1)] * 9])
    )
    assert summary.energy_kwh is None
    assert [task.energy_kwh for task in summary.tasks] == [None]
    found = {row["phase"]: row for row in rows(tmp_path, "task_emissions")}
    assert found["load"]["energy_kwh"] > 0
    for phase in ("inference", "scoring"):
        assert (found[phase]["cpu_energy_kwh"], found[phase]["energy_kwh"]) == (None, None)
        assert found[phase]["quality_flags"] == "negative"
        assert found[phase]["quality_note"] == "a counter went backwards"


@pytest.mark.parametrize(("column", "value"), [("energy_kwh", -1e-9), ("cpu_energy_kwh", -1.0), ("duration_s", -1.0)])
def test_a_negative_figure_in_the_landing_is_refused(tmp_path: Path, column: str, value: float) -> None:
    reason = reason_of_refusal(Home(tmp_path / "data"), "task_emissions", with_value(column, value))
    assert f"column {column} holds the negative value {value}" in reason
