"""Loading the landing: what enters, what goes to the quarantine, and that nothing enters twice."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_builder import START, BuiltRun, TaskOutcome

from evaluators import landing, lifecycle
from evaluators.engines import TokenCounts
from evaluators.records import BY_TABLE, RECORDS, SCHEMA_VERSION, TaskEmission, columns
from orchestration import raw_schema, warehouse
from orchestration.home import Home

OUTCOMES = (TaskOutcome("mc", [True, False], 100.0), TaskOutcome("gen", [True, True], 200.0, tokens_out=[3, 4]))

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


def _run(home: Home, model: str = "base", **changes: Any) -> str:
    return BuiltRun(home.landing, model, changes.pop("outcomes", OUTCOMES), **changes).land()


def _raw(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(path, read_only=True) as connection:
        return {
            record.table: connection.execute(f"select * from raw.{record.table} order by all").fetchall()
            for record in RECORDS
        }


def _bundle(home: Home, run_id: str, task: str) -> landing.Bundle:
    for bundle in landing.bundles(home.landing, run_id):
        results = bundle.files.get("task_results")
        if results and pq.read_table(results)["task"][0].as_py() == task:
            return bundle
    raise AssertionError(task)


def _rewrite(path: Path, change: Change) -> None:
    """Another content under its own right hash: what a faulty writer lands, not what a faulty disk makes of it."""
    table = change(pq.read_table(path))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    path.unlink()
    content = sink.getvalue()
    path.with_name(f"{path.name.split('.')[0]}.{hashlib.sha256(content).hexdigest()}.parquet").write_bytes(content)


def _set(name: str, value: Any, row: int = 0) -> Change:
    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[row] = value
        index = table.schema.get_field_index(name)
        type_ = table.schema.field(name).type
        return table.set_column(index, pa.field(name, type_), pa.array(values, type_))

    return change


def _as_of(version: int, table: str) -> Change:
    """The table as that schema version had it."""
    later = [column.name for column in columns(BY_TABLE[table]) if column.since > version]

    def change(found: pa.Table) -> pa.Table:
        for row in range(found.num_rows):
            found = _set("schema_version", version, row)(found)
        return found.drop_columns(later)

    return change


def _cast(name: str, type_: pa.DataType) -> Change:
    return lambda table: table.set_column(
        table.schema.get_field_index(name), name, pa.array(table[name].to_pylist()).cast(type_)
    )


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
    before = _raw(home.warehouse)
    again = warehouse.load(home)
    assert (again.loaded_bundles, again.row_counts) == (0, {})
    assert _raw(home.warehouse) == before
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        assert {run for (run,) in connection.sql("select distinct run_id from raw.loads").fetchall()} == set(runs)
        file, started = connection.sql("select landed_file, started_at from raw.evaluation_runs limit 1").fetchall()[0]
    assert (home.landing / file).exists()
    assert started.astimezone(UTC) in (START, START + timedelta(hours=1))


def test_a_run_without_its_end_waits(home: Home) -> None:
    run_id = _run(home)
    end = home.landing / run_id / landing.END_BUNDLE
    end.rename(home.landing / "aside")
    assert warehouse.load(home).loaded_bundles == 0
    (home.landing / "aside").rename(end)
    assert warehouse.load(home).loaded_runs == 1


def test_rows_that_another_bundle_holds_are_refused(home: Home) -> None:
    run_id = _run(home)
    bundle = _bundle(home, run_id, "mc")
    twin = bundle.path.with_name("f" * 32)
    twin.mkdir()
    for file in bundle.files.values():
        (twin / file.name).write_bytes(file.read_bytes())
    report = warehouse.load(home)
    assert report.loaded_bundles == 4
    assert len(report.quarantined) == 1
    assert "same key" in report.quarantined[0][2]


def test_rebuild_gives_identical_raw_tables(home: Home) -> None:
    for hour in range(3):
        _run(home, f"model-{hour}", at=START + timedelta(hours=hour))
        warehouse.load(home)
    before = _raw(home.warehouse)
    home.warehouse.with_name("warehouse.duckdb.wal").write_bytes(b"of the old file")
    report = warehouse.rebuild(home)
    assert report.loaded_runs == 3
    assert _raw(home.warehouse) == before
    assert not home.warehouse.with_name("warehouse.duckdb.wal").exists()


def test_what_was_landed_before_a_column_came_loads_and_rebuilds_with_null_in_it(home: Home) -> None:
    run_id = _run(home, at=START + timedelta(hours=1))
    for bundle in landing.bundles(home.landing, run_id):
        for table, path in bundle.files.items():
            _rewrite(path, _as_of(1, table))
    counts = TokenCounts(computed=5, padding=0, unshared=9, distinct=5)
    _run(home, "tuned", outcomes=[TaskOutcome("mc", [True], 1.0, counts=counts, tokens_shared=4)])
    assert warehouse.load(home).quarantined == []
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        query = (
            "select schema_version, tokens_prompt, tokens_unshared, tokens_computed, tokens_padding, tokens_shared, "
            "tokens_distinct from raw.task_emissions where phase = 'inference' order by all"
        )
        older, newer = [(1, 20, *[None] * 5)] * 2, [(SCHEMA_VERSION, 10, 9, 5, 0, 4, 5)]
        assert connection.sql(query).fetchall() == older + newer
        reasons = connection.sql("select engine_reason from raw.evaluation_runs").fetchall()
        assert reasons == [(None,), (None,)]
    before = _raw(home.warehouse)
    warehouse.rebuild(home)
    assert _raw(home.warehouse) == before


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("samples", lambda t: t.drop_columns(["correct"]), "column correct is missing"),
        ("samples", lambda t: t.append_column("extra", pa.array([1] * t.num_rows)), "column extra is not known"),
        ("samples", lambda t: t.rename_columns({"correct": "right"}), "column correct is missing"),
        ("task_emissions", lambda t: t.drop_columns(["tokens_computed"]), "column tokens_computed is missing"),
        ("task_emissions", lambda t: t.drop_columns(["schema_version"]), "column schema_version is missing"),
        (
            "task_emissions",
            lambda t: _set("schema_version", 1)(t).drop_columns(["tokens_computed"]),
            "column tokens_computed is missing",  # the table's other row is of today
        ),
        ("samples", _cast("tokens_generated", pa.string()), "column tokens_generated is string, must be int64"),
        ("task_results", _cast("value", pa.float32()), "column value is float, must be double"),
        ("task_emissions", _cast("started_at", pa.timestamp("us")), "must be timestamp[us, tz=UTC]"),
        ("task_results", _set("value", float("nan")), "column value holds nan"),
        ("task_emissions", _set("energy_kwh", float("inf")), "column energy_kwh holds inf"),
        ("task_emissions", _set("energy_kwh", -1e-9), "column energy_kwh holds the negative value"),
        ("task_emissions", _set("duration_s", -1.0), "column duration_s holds the negative value"),
        ("task_emissions", _set("phase", "resting"), "column phase holds 'resting', must be one of idle"),
        ("task_emissions", _set("cpu_method", "guessed"), "column cpu_method holds 'guessed'"),
        ("task_results", _set("task", None), "column task is NULL in 1 rows"),
        ("task_results", _set("schema_version", 99), "schema_version 99 is not known"),
        ("task_results", _set("chance", 1.0), "column chance must be below 1"),
        ("task_results", _set("is_primary", False), "exactly one metric"),
        ("samples", lambda t: pa.concat_tables([t, t]), "is not unique: 4 rows, 2 keys"),
        ("samples", lambda t: t.slice(0, 0), "has no rows"),
    ],
)
def test_an_invalid_file_is_quarantined_and_the_rest_loads(home: Home, table: str, change: Change, reason: str) -> None:
    run_id = _run(home)
    bundle = _bundle(home, run_id, "mc")
    _rewrite(bundle.files[table], change)
    report = warehouse.load(home)
    assert [(run, name) for run, name, _ in report.quarantined] == [(run_id, bundle.name)]
    assert reason in report.quarantined[0][2]
    assert report.loaded_bundles == 3
    assert not bundle.path.exists()
    facts = json.loads((home.quarantine / run_id / bundle.name / "reason.json").read_text())
    assert reason in facts["reason"]
    assert facts["run_id"] == run_id
    assert warehouse.load(home).quarantined == []


def test_no_parquet_under_its_right_hash_is_quarantined(home: Home) -> None:
    bundle = _bundle(home, _run(home), "mc")
    path = bundle.files["samples"]
    path.unlink()
    path.with_name(f"samples.{hashlib.sha256(b'text').hexdigest()}.parquet").write_bytes(b"text")
    (quarantined,) = warehouse.load(home).quarantined
    assert "cannot be read as Parquet" in quarantined[2]


def test_missing_unknown_and_second_files_are_quarantined(home: Home) -> None:
    run_id = _run(home)
    mc, gen = _bundle(home, run_id, "mc"), _bundle(home, run_id, "gen")
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
    lifecycle_file = home.landing / run_id / landing.RUN_FILE
    lifecycle_file.write_text(lifecycle._as_json(start))
    end = next(b for b in landing.bundles(home.landing, run_id) if b.name == landing.END_BUNDLE)
    end.files["evaluation_runs"].write_bytes(b"")
    report = warehouse.load(home)
    assert [name for _, name, _ in report.quarantined] == [landing.END_BUNDLE]
    assert (report.loaded_runs, report.interrupted) == (1, [run_id])
    assert len(_raw(home.warehouse)["task_results"]) == 4


def test_a_run_that_an_earlier_version_left_behind_is_ended(home: Home) -> None:
    run = BuiltRun(home.landing, "base", OUTCOMES)
    run_id = run.land()
    (home.landing / run_id / landing.END_BUNDLE).rename(home.path / "aside")
    start = json.loads(lifecycle._as_json(run.end_row(run_id)))
    del start["engine_reason"]
    (home.landing / run_id / landing.RUN_FILE).write_text(json.dumps(start | {"schema_version": 1}))
    report = warehouse.load(home)
    assert (report.interrupted, report.quarantined, report.loaded_runs) == ([run_id], [], 1)


def test_a_killed_load_leaves_each_bundle_in_or_out(home: Home) -> None:
    runs = [_run(home, f"model-{number}", at=START + timedelta(hours=number)) for number in range(12)]
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from orchestration import raw_schema, warehouse
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
    killed = _raw(home.warehouse)
    warehouse.rebuild(home)
    assert _raw(home.warehouse) == killed


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


_EMISSIONS = pa.table(
    {name: [None] for name in landing.arrow_schema(TaskEmission).names},
    schema=pa.schema([f.with_nullable(True) for f in landing.arrow_schema(TaskEmission)]),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    name=st.sampled_from([c for c, type_, _ in raw_schema.raw_columns(TaskEmission) if type_ == "DOUBLE"]),
    value=st.floats(),
)
def test_no_number_enters_but_a_finite_one_from_zero_up(name: str, value: float) -> None:
    problems = list(raw_schema.row_problems(TaskEmission, _set(name, value)(_EMISSIONS), "run"))
    complains = any(problem.startswith(f"column {name} holds") for problem in problems)
    assert complains == (not 0 <= value < float("inf"))


@given(
    dropped=st.sets(st.sampled_from(_EMISSIONS.column_names), max_size=3),
    added=st.sets(st.text(min_size=1).filter(lambda name: name not in _EMISSIONS.column_names), max_size=3),
    retyped=st.sets(st.sampled_from(_EMISSIONS.column_names), max_size=3),
)
def test_every_difference_in_the_schema_is_named(dropped: set[str], added: set[str], retyped: set[str]) -> None:
    other = {pa.string(): pa.int64()}
    fields = [
        f.with_type(other.get(f.type, pa.string())) if f.name in retyped else f
        for f in _EMISSIONS.schema
        if f.name not in dropped
    ] + [pa.field(name, pa.string()) for name in added]
    expected = {f"column {name} is missing" for name in dropped}
    expected |= {f"column {name} is not known" for name in added}
    problems = set(raw_schema.schema_problems(TaskEmission, pa.schema(fields)))
    assert {problem for problem in problems if "must be" not in problem} == expected
    assert len(problems) == len(expected) + len(retyped - dropped)
