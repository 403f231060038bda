"""Landed files as a faulty writer makes them, and what the warehouse has of them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from evaluators.landing import bundles
from evaluators.records import BY_TABLE, RECORDS, columns
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.landing_builder import BuiltRun, TaskOutcome

Change = Callable[[pa.Table], pa.Table]

OUTCOMES = (TaskOutcome("mc", [True, False], 100.0), TaskOutcome("gen", [True, True], 200.0, tokens_out=[3, 4]))


def raw_tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every raw table."""
    with duckdb.connect(path, read_only=True) as connection:
        return {
            record.table: connection.execute(f"select * from raw.{record.table} order by all").fetchall()
            for record in RECORDS
        }


def bundle_of(home: Home, run_id: str, task: str) -> bundles.Bundle:
    """The bundle of a task evaluation."""
    for bundle in bundles.bundles(home.landing, run_id):
        results = bundle.files.get("task_results")
        if results and pq.read_table(results)["task"][0].as_py() == task:
            return bundle
    raise AssertionError(task)


def rewrite(path: Path, change: Change) -> None:
    """Another content under its own right hash: what a faulty writer lands, not what a faulty disk makes of it."""
    table = change(pq.read_table(path))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    path.unlink()
    content = sink.getvalue()
    path.with_name(f"{path.name.split('.')[0]}.{hashlib.sha256(content).hexdigest()}.parquet").write_bytes(content)


def with_value(name: str, value: Any, row: int = 0) -> Change:
    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[row] = value
        index = table.schema.get_field_index(name)
        type_ = table.schema.field(name).type
        return table.set_column(index, pa.field(name, type_), pa.array(values, type_))

    return change


def retyped(name: str, type_: pa.DataType) -> Change:
    return lambda table: table.set_column(
        table.schema.get_field_index(name), name, pa.array(table[name].to_pylist()).cast(type_)
    )


def as_of(version: int, table: str) -> Change:
    """The table as that schema version had it."""
    later = [column.name for column in columns(BY_TABLE[table]) if column.since > version]

    def change(found: pa.Table) -> pa.Table:
        for row in range(found.num_rows):
            found = with_value("schema_version", version, row)(found)
        return found.drop_columns(later)

    return change


def reason_of_refusal(home: Home, table: str, change: Change) -> str:
    """Land a run with one changed file and load it. Returns why that file's bundle was refused; all else is loaded."""
    run_id = BuiltRun(home.landing, "base", OUTCOMES).land()
    bundle = bundle_of(home, run_id, "mc")
    rewrite(bundle.files[table], change)
    report = warehouse.load(home)
    ((run, name, reason),) = report.quarantined
    assert (run, name, report.loaded_bundles) == (run_id, bundle.name, 3)
    assert not bundle.path.exists()
    facts = json.loads((home.quarantine / run_id / bundle.name / "reason.json").read_text())
    assert (facts["run_id"], facts["reason"]) == (run_id, reason)
    assert warehouse.load(home).quarantined == []
    return reason
