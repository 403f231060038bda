"""Which columns a dbt model's columns are computed from, according to its compiled SQL, without a database.

Belongs here: reading dbt's manifest with sqlglot. `ui` turns it into Dagster's metadata. dagster-dbt could fetch it
from the warehouse, but would keep the file open in this process, which blocks other writers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from sqlglot import MappingSchema, exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from evaluators.durable import write_durably

DIALECT = "duckdb"

ColumnSources = Mapping[str, Sequence[Sequence[str]]]  # of each column: dbt's unique id of a parent, and its column


def column_lineage(manifest: Mapping[str, Any]) -> dict[str, ColumnSources]:
    """Each model's columns in order with their sources, by dbt's unique id.

    `manifest` is one that dbt wrote after building. Models without compiled code are left out, as are those whose SQL
    sqlglot cannot parse. A column that uses no other column (a constant, a count of rows) has no sources.
    """
    nodes = {**manifest["sources"], **manifest["nodes"]}
    tables = {key: node for key, node in nodes.items() if node["resource_type"] in ("source", "seed", "model")}
    models = {key for key, node in tables.items() if node.get("compiled_code")}
    parents = {key: set(tables[key]["depends_on"]["nodes"]) for key in models}
    schema = MappingSchema(dialect=DIALECT)
    for node in tables.values():  # models too: incremental ones read their previous rows
        _add(schema, node, node["columns"])
    found: dict[str, ColumnSources] = {}
    for key in TopologicalSorter(parents).static_order():
        if key in models:
            with suppress(SqlglotError, ValueError):
                found[key] = _of_one(tables[key], {parent: tables[parent] for parent in parents[key]}, schema)
                _add(schema, tables[key], found[key])
    return found


def kept(file: Path, project: str, manifest: Mapping[str, Any]) -> dict[str, ColumnSources]:
    """The project's lineage from `file`, if it was kept for this hash; otherwise computes it and keeps it there.

    Computing it takes seconds, and it changes only with the project.
    """
    with suppress(FileNotFoundError, ValueError):
        known = json.loads(file.read_bytes())
        if known["project"] == project:
            return dict(known["lineage"])
    found = column_lineage(manifest)
    if os.access(file.parent, os.W_OK):  # false in a read-only checkout
        write_durably(file, json.dumps({"project": project, "lineage": found}).encode())
    return found


def _add(schema: MappingSchema, node: Mapping[str, Any], columns: Iterable[str]) -> None:
    # Types do not matter for lineage.
    schema.add_table(_table(node), dict.fromkeys(columns, "varchar"), dialect=DIALECT)


def _table(node: Mapping[str, Any]) -> exp.Table:
    return exp.table_(node.get("identifier") or node["alias"], db=node["schema"])


def _of_one(node: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]], schema: MappingSchema) -> ColumnSources:
    names = {_name(_table(parent)): key for key, parent in parents.items()}
    statement = parse_one(node["compiled_code"], dialect=DIALECT)
    for table in statement.find_all(exp.Table):
        table.set("catalog", None)  # the warehouse's file; the schema has no catalogs
    # One scope for all columns: otherwise sqlglot qualifies the statement once per column.
    qualified = qualify(statement, dialect=DIALECT, schema=schema, validate_qualify_columns=False, identify=False)
    _union_by_position(qualified)
    columns = lineage(None, qualified, schema=schema, dialect=DIALECT, scope=build_scope(qualified), trim_selects=False)
    return {
        name: sorted({(names[table], column) for table, column in _leaves(column_node) if table in names})
        for name, column_node in columns.items()
    }


def _union_by_position(statement: exp.Expr) -> None:
    """Put the columns of each `union by name` into one order, because sqlglot's lineage finds them by position only."""
    for union in list(statement.find_all(exp.SetOperation)):  # outer ones first
        if union.args.get("by_name"):
            _order(union, union.named_selects)


def _order(query: exp.Expr, names: list[str]) -> None:
    if isinstance(query, exp.Select):
        columns = {column.alias_or_name: column for column in query.selects}
        query.set("expressions", [columns.get(name) or exp.alias_(exp.null(), name) for name in names])
    elif isinstance(query, exp.SetOperation) and query.args.get("by_name"):
        query.set("by_name", False)
        for side in (query.left, query.right):
            _order(side.unnest(), names)
    else:
        raise SqlglotError("a union by position inside one by name")


def _leaves(node: Node) -> Iterator[tuple[str, str]]:
    """The tables' columns at the ends of a column's lineage."""
    for step in node.walk():
        if not step.downstream and isinstance(step.source, exp.Table):
            yield _name(step.source), exp.to_column(step.name).name


def _name(table: exp.Table) -> str:
    return f"{table.db}.{table.name}".lower()
