"""The contents of the build file after dbt has ended: tables and views, their columns with types, and row counts.

Reads through a short-lived connection, so that the file is free for the next process that writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """A table or view: its columns in order, with DuckDB's types; `rows` is None for a view."""

    columns: dict[str, str]
    rows: int | None


def built_tables(warehouse: Path) -> dict[str, BuiltTable]:
    """Tables by `schema.name`; empty if there is no file yet. Raises duckdb.Error if the file is in use."""
    if not warehouse.exists():
        return {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        columns: dict[str, dict[str, str]] = {}
        for table, column, type_ in connection.execute(
            "select schema_name || '.' || table_name, column_name, lower(data_type) "
            "from duckdb_columns() where not internal order by schema_name, table_name, column_index"
        ).fetchall():
            columns.setdefault(table, {})[column] = type_
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        rows = {f"{schema}.{name}": _count(connection, schema, name) for schema, name in tables}
    return {table: BuiltTable(found, rows.get(table)) for table, found in columns.items()}


def _count(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> int:
    ((count,),) = connection.table(f'"{schema}"."{name}"').count("*").fetchall()
    return int(count)
