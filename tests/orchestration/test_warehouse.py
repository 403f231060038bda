"""Loading the landing: what enters, what goes to the quarantine, and that nothing enters twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
import textwrap
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from evaluators.landing import bundles, decisions, lifecycle
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.landed_files import OUTCOMES, Change, bundle_of, raw_tables, reason_of_refusal, rewrite, with_value
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import into_parts, land_stop

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


def _run(home: Home, model: str = "base", **changes: Any) -> str:
    return BuiltRun(home.landing, model, changes.pop("outcomes", OUTCOMES), **changes).land()


def test_loads_all_ended_runs_once(home: Home) -> None:
    runs = [_run(home), _run(home, "tuned", base="base", at=START + timedelta(hours=1))]
    report = warehouse.load(home)
    assert (report.loaded_runs, report.loaded_bundles, report.quarantined) == (2, 8, [])
    assert report.row_counts == {
        "models": 2,
        "evaluation_runs": 2,
        "task_results": 8,
        "task_emissions": 14,
        "samples": 8,
    }
    before = raw_tables(home.warehouse)
    again = warehouse.load(home)
    assert (again.loaded_bundles, again.row_counts) == (0, {})
    assert raw_tables(home.warehouse) == before
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        assert {run for (run,) in connection.sql("select distinct run_id from raw.loads").fetchall()} == set(runs)
        file, started = connection.sql("select landed_file, started_at from raw.evaluation_runs limit 1").fetchall()[0]
    assert (home.landing / file).exists()
    assert started.astimezone(UTC) in (START, START + timedelta(hours=1))


def test_a_run_without_its_end_waits(home: Home) -> None:
    run_id = _run(home)
    end = home.landing / run_id / bundles.END_BUNDLE
    end.rename(home.landing / "aside")
    assert warehouse.load(home).loaded_bundles == 0
    (home.landing / "aside").rename(end)
    assert warehouse.load(home).loaded_runs == 1


def test_rows_that_another_bundle_holds_are_refused(home: Home) -> None:
    run_id = _run(home)
    bundle = bundle_of(home, run_id, "mc")
    twin = bundle.path.with_name("f" * 32)
    twin.mkdir()
    for file in bundle.files.values():
        (twin / file.name).write_bytes(file.read_bytes())
    report = warehouse.load(home)
    assert report.loaded_bundles == 4
    assert len(report.quarantined) == 1
    assert "same key" in report.quarantined[0][2]


def test_decisions_load_without_a_run_and_survive_a_rebuild(home: Home) -> None:
    run_id = _run(home, outcomes=[TaskOutcome("mc", [True], 100.0, duration_s=500.0)], duration_s=520.0)
    decisions.exclude(home.landing, run_id, "the fan failed", "ann")
    decisions.include_again(home.landing, run_id, "it was another run", "ann")
    decisions.calibrate(home.landing, 0.0002, run_id, "ann")
    report = warehouse.load(home)
    assert (report.loaded_runs, report.quarantined) == (1, [])
    before = raw_tables(home.warehouse)
    assert (len(before["exclusions"]), len(before["calibrations"])) == (2, 1)
    warehouse.rebuild(home)
    assert raw_tables(home.warehouse) == before


@pytest.mark.parametrize("directory", ["a-run", "calibrations"])
def test_a_decision_in_another_directory_is_quarantined(home: Home, directory: str) -> None:
    run_id = _run(home)
    decision = decisions.exclude(home.landing, run_id, "the fan failed", "ann")
    folder = home.landing / (run_id if directory == "a-run" else directory)
    folder.mkdir(exist_ok=True)
    (home.landing / "exclusions" / decision.exclusion_id).rename(folder / decision.exclusion_id)
    (quarantined,) = warehouse.load(home).quarantined
    assert "exclusions belong in the directory 'exclusions'" in quarantined[2]


def test_rebuild_gives_identical_raw_tables(home: Home) -> None:
    for hour in range(3):
        _run(home, f"model-{hour}", at=START + timedelta(hours=hour))
        warehouse.load(home)
    before = raw_tables(home.warehouse)
    home.warehouse.with_name("warehouse.duckdb.wal").write_bytes(b"of the old file")
    report = warehouse.rebuild(home)
    assert report.loaded_runs == 3
    assert raw_tables(home.warehouse) == before
    assert not home.warehouse.with_name("warehouse.duckdb.wal").exists()


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("task_emissions", with_value("duration_s", -1.0), "column duration_s holds the negative value"),
        ("task_emissions", with_value("phase", "resting"), "column phase holds 'resting', must be one of idle"),
        ("task_emissions", with_value("cpu_method", "guessed"), "column cpu_method holds 'guessed'"),
        ("task_results", with_value("task", None), "column task is NULL in 1 rows"),
        ("task_results", with_value("schema_version", 99), "schema_version 99 is not known"),
        ("task_results", with_value("chance", 1.0), "column chance must be below 1"),
        ("task_results", with_value("is_primary", False), "exactly one metric"),
        ("samples", lambda t: pa.concat_tables([t, t]), "is not unique: 4 rows, 2 keys"),
        ("samples", lambda t: t.slice(0, 0), "has no rows"),
    ],
)
def test_an_invalid_file_is_quarantined_and_the_rest_loads(home: Home, table: str, change: Change, reason: str) -> None:
    assert reason in reason_of_refusal(home, table, change)


def test_parts_and_stops_load_into_tables_of_their_own_and_survive_a_rebuild(home: Home) -> None:
    run_id = _run(home)
    part = into_parts(home.landing, run_id, "mc", (1, 2))
    land_stop(home.landing, run_id, [part])
    report = warehouse.load(home)
    assert report.quarantined == []
    parts = {"parts": 2, "part_samples": 2, "part_emissions": 4, "stops": 1}
    whole = {"task_results": 2, "samples": 2, "task_emissions": 3 + 2}
    assert {table: report.row_counts[table] for table in (*parts, *whole)} == parts | whole, (
        "parts never mix with those"
    )
    before = raw_tables(home.warehouse)
    warehouse.rebuild(home)
    assert raw_tables(home.warehouse) == before


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("parts", None, "the file of table parts is missing"),
        ("part_samples", None, "the file of table part_samples is missing"),
        ("part_emissions", with_value("phase", "resting"), "column phase holds 'resting'"),
        ("part_samples", with_value("place", -1), "column place holds the negative value -1"),
        ("parts", with_value("chance", 1.0), "column chance must be below 1"),
        ("stops", with_value("verdict", "fine"), "column verdict holds 'fine', must be one of better, worse"),
        ("stops", with_value("stop_reason", "tired"), "column stop_reason holds 'tired'"),
        ("stops", with_value("until", None), "column until is NULL in 1 rows"),
    ],
)
def test_an_invalid_part_or_stop_is_quarantined(home: Home, table: str, change: Change | None, reason: str) -> None:
    run_id = _run(home)
    land_stop(home.landing, run_id, [into_parts(home.landing, run_id, "mc", (2,))], low=-1.5)
    (bundle,) = [bundle for bundle in bundles.bundles(home.landing, run_id) if table in bundle.files]
    if change is None:
        bundle.files[table].unlink()
    else:
        rewrite(bundle.files[table], change)
    ((_, name, why),) = warehouse.load(home).quarantined
    assert name == bundle.name
    assert reason in why


def test_no_parquet_under_its_right_hash_is_quarantined(home: Home) -> None:
    bundle = bundle_of(home, _run(home), "mc")
    path = bundle.files["samples"]
    path.unlink()
    path.with_name(f"samples.{hashlib.sha256(b'text').hexdigest()}.parquet").write_bytes(b"text")
    (quarantined,) = warehouse.load(home).quarantined
    assert "cannot be read as Parquet" in quarantined[2]


def test_missing_unknown_and_second_files_are_quarantined(home: Home) -> None:
    run_id = _run(home)
    mc, gen = bundle_of(home, run_id, "mc"), bundle_of(home, run_id, "gen")
    mc.files["samples"].unlink()
    gen.files["samples"].with_name("surprises.x.parquet").write_bytes(gen.files["samples"].read_bytes())
    gen.files["samples"].with_name("samples.y.parquet").write_bytes(b"")
    reasons = {name: why for _, name, why in warehouse.load(home).quarantined}
    assert "the file of table samples is missing" in reasons[mc.name]
    assert "no raw table 'surprises'" in reasons[gen.name]
    assert "more than one file" in reasons[gen.name]


def test_a_lost_end_is_replaced_and_the_tasks_are_kept(home: Home) -> None:
    run = BuiltRun(home.landing, "base", OUTCOMES)
    run_id = run.land()
    start = dataclasses.replace(run.end_row(run_id), status="interrupted", model_key=None, task_evaluations_json=None)
    lifecycle_file = home.landing / run_id / bundles.RUN_FILE
    lifecycle_file.write_text(lifecycle._as_json(start))
    end = next(b for b in bundles.bundles(home.landing, run_id) if b.name == bundles.END_BUNDLE)
    end.files["evaluation_runs"].write_bytes(b"")
    report = warehouse.load(home)
    assert [name for _, name, _ in report.quarantined] == [bundles.END_BUNDLE]
    assert (report.loaded_runs, report.interrupted) == (1, [run_id])
    assert len(raw_tables(home.warehouse)["task_results"]) == 4


def test_a_run_that_an_earlier_version_left_behind_is_ended(home: Home) -> None:
    run = BuiltRun(home.landing, "base", OUTCOMES)
    run_id = run.land()
    (home.landing / run_id / bundles.END_BUNDLE).rename(home.path / "aside")
    start = json.loads(lifecycle._as_json(run.end_row(run_id)))
    del start["engine_reason"]
    (home.landing / run_id / bundles.RUN_FILE).write_text(json.dumps(start | {"schema_version": 1}))
    report = warehouse.load(home)
    assert (report.interrupted, report.quarantined, report.loaded_runs) == ([run_id], [], 1)


def test_a_killed_load_leaves_each_bundle_in_or_out(home: Home) -> None:
    runs = [_run(home, f"model-{number}", at=START + timedelta(hours=number)) for number in range(12)]
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from orchestration.warehouse import load as warehouse
        from orchestration.warehouse import raw_schema
        from orchestration.home import Home
        read, count = raw_schema.read_bundle, 0
        def killing(bundle):
            global count
            count += 1
            if count == 20:
                os.kill(os.getpid(), signal.SIGKILL)
            return read(bundle)
        raw_schema.read_bundle = killing
        warehouse.load(Home(Path(sys.argv[1])))
    """)
    assert subprocess.run([sys.executable, "-c", script, str(home.path)], check=False).returncode == -9
    report = warehouse.load(home)
    assert report.loaded_bundles == 4 * len(runs) - 19
    killed = raw_tables(home.warehouse)
    warehouse.rebuild(home)
    assert raw_tables(home.warehouse) == killed


def test_one_writer(home: Home) -> None:
    _run(home)
    with warehouse._writer(home, 0), pytest.raises(warehouse.WarehouseBusy, match="loading the warehouse"):
        warehouse.load(home, wait=0)
    with (
        warehouse.refresh_lock(home),
        pytest.raises(warehouse.WarehouseBusy, match="another refresh"),
        warehouse.refresh_lock(home),
    ):
        pass
    with warehouse.refresh_lock(home):
        pass


def test_a_file_that_another_process_holds_is_busy(home: Home) -> None:
    warehouse.load(home)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, home.warehouse],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(warehouse.WarehouseBusy, match="open in another process"):
            warehouse.load(home)
    finally:
        holder.communicate(b"\n")


def test_raw_tables_of_another_version_ask_for_a_rebuild(home: Home) -> None:
    _run(home)
    warehouse.load(home)
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("alter table raw.samples drop column answer")
    with pytest.raises(warehouse.WarehouseOutdated, match="evalwatt rebuild"):
        warehouse.load(home)
    assert warehouse.rebuild(home).loaded_runs == 1
