"""The raw tables' schema, and which landed bundles may be loaded into them.

Belongs here: the DDL of schema `raw`, derived from `evaluators.records`, and the validation of one bundle. Nothing here
opens the warehouse or moves a file: `load` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluators import records
from evaluators.landing.bundles import (
    DECISIONS,
    END_BUNDLE,
    STATE_BUNDLE,
    Bundle,
    arrow_schema,
    is_task_bundle,
    places_in,
    question_in,
    state_directory,
    verify,
)
from evaluators.records import EMISSIONS_NOT_KNOWN, Column, LeaderboardSnapshot, Record, columns

SCHEMA = "raw"
LANDED_FILE = "landed_file"

LOADS_DDL = """
create table if not exists raw.loads (
    load_id varchar not null,
    loaded_at timestamp with time zone not null,
    run_id varchar not null,
    bundle varchar not null,
    row_counts map(varchar, bigint) not null,
    primary key (run_id, bundle)
)
"""

DUCKDB_TYPES: dict[type, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    datetime: "TIMESTAMP WITH TIME ZONE",
    date: "DATE",
}

ENUMERATIONS: dict[str, tuple[str, ...]] = {
    "phase": records.PHASES,
    "cpu_method": records.METHODS,
    "gpu_method": records.METHODS,
    "ram_method": records.METHODS,
    "kind": records.KINDS,
    "provider": records.PROVIDERS,
    "status": records.RUN_STATUSES,
    "until": records.UNTIL,
    "stop_reason": records.STOP_REASONS,
    "verdict": records.VERDICTS,
    "score_test": records.SCORE_TESTS,
    "score_verdict": records.VERDICTS,
    "energy_verdict": records.ENERGY_VERDICTS,
    "outcome": records.OUTCOMES,
    "score_outcome": records.OUTCOMES,
    "energy_outcome": records.OUTCOMES,
}

# Every other number is an energy, a duration, a size or a count, and cannot be negative.
SIGNED: dict[type[Record], frozenset[str]] = {
    records.EvaluationRun: frozenset({"seed"}),
    records.TaskResult: frozenset({"value", "chance"}),
    records.Sample: frozenset({"score"}),
    records.PartSample: frozenset({"score"}),
    records.Stop: frozenset({"low", "high", "full_low", "full_high"}),
    records.GateVerdict: frozenset({"score_delta", "score_delta_low", "score_delta_high"}),
    LeaderboardSnapshot: frozenset({"params_b"}),  # zero or below means unknown to the leaderboard
}

_TASK_BUNDLE_TABLES = ("task_results", "task_emissions", "samples")
_PART_BUNDLE_TABLES = ("parts", "part_samples", "part_emissions")


class BundleRejected(Exception):
    """The bundle cannot be loaded; the message names every problem found."""


def raw_columns(record: type[Record]) -> list[tuple[str, str, bool]]:
    """The raw table's columns in order: name, DuckDB type, and whether NULL is allowed."""
    own = [(c.name, DUCKDB_TYPES[c.type], c.nullable) for c in columns(record)]
    return [*own, (LANDED_FILE, DUCKDB_TYPES[str], False)]


def ddl(record: type[Record]) -> str:
    """The statement that creates the record's raw table if it does not exist."""
    lines = [f"{name} {type_}{'' if nullable else ' not null'}" for name, type_, nullable in raw_columns(record)]
    lines.append(f"primary key ({', '.join(record.key)})")
    return f"create table if not exists {SCHEMA}.{record.table} (\n    " + ",\n    ".join(lines) + "\n)"


def read_bundle(bundle: Bundle) -> dict[type[Record], pa.Table]:
    """The bundle's validated rows. Raises BundleRejected with all problems found."""
    problems = list(_structure_problems(bundle))
    tables: dict[type[Record], pa.Table] = {}
    for name, path in bundle.files.items():
        record = records.BY_TABLE.get(name)
        if record is None:
            problems.append(f"{path.name}: no raw table {name!r}; known: {', '.join(sorted(records.BY_TABLE))}")
            continue
        try:
            table = _with_later_columns(record, _read(path))
        except BundleRejected as rejected:
            problems.append(str(rejected))
            continue
        found = list(schema_problems(record, table.schema)) or list(row_problems(record, table, bundle.run_id))
        problems.extend(f"{name}: {problem}" for problem in found)
        tables[record] = table
    if problems:
        raise BundleRejected("; ".join(problems))
    return tables


def _with_later_columns(record: type[Record], table: pa.Table) -> pa.Table:
    """The table with the columns that were added after it was landed, all NULL. Others stay missing."""
    if table.column_names.count("schema_version") != 1:
        return table
    landed_with = pc.unique(table["schema_version"]).to_pylist()
    for column in columns(record):
        came_later = all(isinstance(version, int) and version < column.since for version in landed_with)
        if came_later and column.name not in table.column_names:
            field = arrow_schema(record).field(column.name)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def schema_problems(record: type[Record], found: pa.Schema) -> Iterator[str]:
    """Missing, unknown, duplicate and wrongly typed columns, by name."""
    expected = arrow_schema(record)
    for name in sorted({name for name in found.names if found.names.count(name) > 1}):
        yield f"column {name} appears more than once"
    for name in expected.names:
        if name not in found.names:
            yield f"column {name} is missing"
    for field in found:
        if field.name not in expected.names:
            yield f"column {field.name} is not known"
        elif field.type != expected.field(field.name).type:
            yield f"column {field.name} is {field.type}, must be {expected.field(field.name).type}"


def row_problems(record: type[Record], table: pa.Table, run_id: str) -> Iterator[str]:
    """Problems with the values of a table whose schema is valid."""
    if table.num_rows == 0:
        yield "has no rows"
        return
    for column in columns(record):
        values = table[column.name]
        if values.null_count and not column.nullable:
            yield f"column {column.name} is NULL in {values.null_count} rows"
        yield from _value_problems(record, column, values)
    versions = {version for version in pc.unique(table["schema_version"]).to_pylist() if version is not None}
    if unknown := sorted(versions - set(range(1, records.SCHEMA_VERSION + 1))):
        yield (
            f"schema_version {unknown[0]} is not known: this program knows up to {records.SCHEMA_VERSION}; "
            "upgrade evalwatt"
        )
    yield from _foreign_rows(record, table, run_id)
    keys = table.group_by(list(record.key)).aggregate([]).num_rows
    if keys != table.num_rows:
        yield f"key ({', '.join(record.key)}) is not unique: {table.num_rows} rows, {keys} keys"
    if record is records.TaskResult:
        evaluations = table.group_by(["task", "repetition"]).aggregate([("is_primary", "sum")])
        if any(count != 1 for count in evaluations["is_primary_sum"].to_pylist()):
            yield "is_primary must be true for exactly one metric of a task and repetition"


def _foreign_rows(record: type[Record], table: pa.Table, directory: str) -> Iterator[str]:
    """Rows that belong in another directory of the landing."""
    if record is LeaderboardSnapshot:
        days = pc.unique(table["snapshot_date"]).to_pylist()
        if foreign := sorted(str(day) for day in days if day is not None and state_directory(day) != directory):
            yield f"snapshot_date {foreign[0]} in the directory {directory!r}"
    elif record.table in DECISIONS:  # their run_id names the run that the decision concerns
        if directory != record.table:
            yield f"{record.table} belong in the directory {record.table!r}, not {directory!r}"
    elif foreign := sorted({run for run in pc.unique(table["run_id"]).to_pylist() if run not in (None, directory)}):
        yield f"run_id {foreign[0]!r} in the directory of run {directory!r}"


def _value_problems(record: type[Record], column: Column, values: pa.ChunkedArray) -> Iterator[str]:
    name = column.name
    if column.type is float and (not_finite := _first(values, pc.invert(pc.is_finite(values)))) is not None:
        yield f"column {name} holds {not_finite}"
    if column.type in (int, float) and name not in SIGNED.get(record, ()):
        negative = pc.less(values, 0)
        if name == "emissions_published_kg":
            negative = pc.and_(negative, pc.not_equal(values, EMISSIONS_NOT_KNOWN))
        if (value := _first(values, negative)) is not None:
            yield f"column {name} holds the negative value {value}"
    if name == "chance" and _first(values, pc.greater_equal(values, 1)) is not None:
        yield "column chance must be below 1, the score of a model that knows everything"
    if name in ENUMERATIONS:
        unknown = [value for value in pc.unique(values).to_pylist() if value not in (None, *ENUMERATIONS[name])]
        if unknown:
            yield f"column {name} holds {unknown[0]!r}, must be one of {', '.join(ENUMERATIONS[name])}"


def _first(values: pa.ChunkedArray, wrong: pa.ChunkedArray) -> object:
    """The first wrong value; None if there is none."""
    found = values.filter(wrong)
    return found[0].as_py() if len(found) else None


def _structure_problems(bundle: Bundle) -> Iterator[str]:
    found = sorted(path.name for path in bundle.path.glob("*.parquet"))
    if len(found) != len(bundle.files):
        yield f"more than one file for a table: {', '.join(found)}"
    if not found:
        yield "holds no Parquet file"
    required: tuple[str, ...] = ()
    if bundle.name == END_BUNDLE:
        required = (records.EvaluationRun.table,)
    elif is_task_bundle(bundle.name):
        required = _TASK_BUNDLE_TABLES
    elif places_in(bundle.name) is not None:
        required = _PART_BUNDLE_TABLES
    elif question_in(bundle.name) is not None:
        required = (records.Stop.table,)
    elif bundle.name == STATE_BUNDLE:
        required = (LeaderboardSnapshot.table,)
    elif bundle.run_id in DECISIONS:
        required = (bundle.run_id,)
    for table in required:
        if table not in bundle.files:
            yield f"the file of table {table} is missing"


def _read(path: Path) -> pa.Table:
    """Raises BundleRejected for a file that is damaged or not Parquet."""
    try:
        verify(path)
    except ValueError as error:
        raise BundleRejected(str(error)) from None
    try:
        # ParquetFile, not read_table, which would read directory names such as x=1 as columns.
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise BundleRejected(f"{path.name}: cannot be read as Parquet: {error}") from None
