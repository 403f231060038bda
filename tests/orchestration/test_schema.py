"""Records, raw DDL and dbt's sources are one contract."""

from __future__ import annotations

import difflib
from pathlib import Path

import duckdb
import yaml

from evaluators.records import RECORDS, columns
from orchestration.home import DBT_PROJECT
from orchestration.warehouse import raw_schema

RELEASED = Path(__file__).with_name("released_columns.txt")


def _lines(tables: dict[str, list[tuple[str, str, bool]]]) -> list[str]:
    return [
        f"{table}.{name} {type_.lower()}{'' if nullable else ' not null'}"
        for table, found in sorted(tables.items())
        for name, type_, nullable in found
    ]


def _records() -> list[str]:
    tables = {
        record.table: [
            *((c.name, raw_schema.DUCKDB_TYPES[c.type], c.nullable) for c in columns(record)),
            ("landed_file", "VARCHAR", False),
        ]
        for record in RECORDS
    }
    return _lines(tables)


def _ddl(tables: list[str]) -> list[str]:
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        connection.execute(raw_schema.LOADS_DDL)
        for record in RECORDS:
            connection.execute(raw_schema.ddl(record))
        found = {
            table: connection.execute(
                "select column_name, data_type, is_nullable from duckdb_columns() "
                "where schema_name = 'raw' and table_name = ? order by column_index",
                [table],
            ).fetchall()
            for table in tables
        }
    return _lines(found)


def _sources(tables: list[str] | None = None) -> list[str]:
    document = yaml.safe_load((DBT_PROJECT / "models/staging/_sources.yml").read_text())
    (source,) = document["sources"]
    found = {
        table["name"]: [
            (c["name"], c["data_type"], {"type": "not_null"} not in c.get("constraints", [])) for c in table["columns"]
        ]
        for table in source["tables"]
    }
    return _lines({name: found[name] for name in tables} if tables is not None else found)


def _diff(left: str, expected: list[str], right: str, found: list[str]) -> str:
    return "\n".join(difflib.unified_diff(expected, found, left, right, lineterm="", n=0))


def test_records_ddl_and_sources_agree() -> None:
    tables = [record.table for record in RECORDS]
    records = _records()
    assert not (diff := _diff("records", records, "DDL", _ddl(tables))), f"\n{diff}"
    everything = sorted([*tables, "loads"])
    assert not (diff := _diff("DDL", _ddl(everything), "_sources.yml", _sources())), f"\n{diff}"


def test_the_difference_names_the_column() -> None:
    changed = [line for line in _records() if not line.startswith("samples.answer ")]
    assert "+samples.answer varchar not null" in _diff("records", changed, "DDL", _records())


def test_every_raw_table_has_a_key_of_columns_that_are_never_null() -> None:
    for record in RECORDS:
        nullable = {c.name for c in columns(record) if c.nullable}
        assert record.key, record.table
        assert not nullable & set(record.key), record.table
        assert set(record.key) <= {c.name for c in columns(record)}


def test_columns_of_a_released_schema_version_stay_as_they_are() -> None:
    """Landings with this version's columns exist: one column more under the same version sends them to quarantine."""
    header, *released = RELEASED.read_text().splitlines()
    version = int(header.rsplit(maxsplit=1)[-1])
    tables = {line.partition(".")[0] for line in released}
    found = [
        f"{record.table}.{c.name} {c.type.__name__}{'' if c.nullable else ' not null'}"
        for record in RECORDS
        for c in columns(record)
        if record.table in tables and c.since <= version
    ]
    diff = _diff(f"columns of schema version {version}, which is released", released, "records", found)
    assert not diff, f"a new column belongs to schema version {version + 1}:\n{diff}"


def test_a_column_that_came_later_allows_null() -> None:
    assert not [c.name for record in RECORDS for c in columns(record) if c.since > 1 and not c.nullable]


def test_every_raw_table_has_staging_and_every_column_a_description() -> None:
    document = yaml.safe_load((DBT_PROJECT / "models/staging/_sources.yml").read_text())
    for table in document["sources"][0]["tables"]:
        assert table["description"]
        assert all(c["description"] for c in table["columns"])
    for record in RECORDS:
        for suffix in ("sql", "yml"):
            assert (DBT_PROJECT / f"models/staging/stg_{record.table}.{suffix}").exists()
