"""What Dagster's UI shows about dbt's tables: columns with types and sources, row counts, remedies for failed tests.

dbt's events are held back until dbt has ended: only then may this process open the file. dagster-dbt's own way to
fetch row counts and columns would keep it open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from orchestration.dbt_artifacts import column_lineage
from orchestration.dbt_artifacts.data_dictionary import is_never_null
from orchestration.dbt_artifacts.failed_tests import failed_tests, remedy
from orchestration.home import DBT_PROJECT, Home
from orchestration.warehouse.built_tables import BuiltTable, built_tables

_SOURCES_SHOWN = 6  # in a column's description


def with_table_metadata(
    events: Iterable[Any], home: Home, translator: DagsterDbtTranslator, project: str
) -> Iterator[Any]:
    """dbt's events in order, once dbt has ended, with metadata on outputs and failed tests.

    `project` is the hash of the built project. If dbt fails, its error is raised after the events.
    """
    held: list[Any] = []
    failure = None
    try:
        held += events
    except DagsterDbtCliRuntimeError as error:
        failure = error
    if held:
        yield from _described(held, home, translator, project)
    if failure is not None:
        raise failure


def _described(events: Iterable[Any], home: Home, translator: DagsterDbtTranslator, project: str) -> Iterator[Any]:
    manifest = json.loads((home.dbt_target / "manifest.json").read_bytes())
    tables = built_tables(home.warehouse)
    lineage = column_lineage.kept(DBT_PROJECT / "target" / "column_lineage.json", project, manifest)
    remedies = {test.name: remedy(test, home.warehouse) for test in failed_tests(home.dbt_target)}
    keys = {
        key: translator.get_asset_key(node)
        for key, node in {**manifest["sources"], **manifest["nodes"]}.items()
        if node["resource_type"] in ("source", "seed", "model")
    }
    for event in events:
        more: Mapping[str, Any] = {}
        node = manifest["nodes"][event.metadata["unique_id"].text]
        if isinstance(event, dg.Output) and (table := tables.get(f"{node['schema']}.{node['alias']}")):
            more = table_metadata(node, table, lineage.get(node["unique_id"], {}), keys)
        elif isinstance(event, dg.AssetCheckResult) and node["name"] in remedies:
            more = {"remedy": dg.MetadataValue.md(remedies[node["name"]])}
        yield event.with_metadata({**event.metadata, **more}) if more else event


def table_metadata(
    node: Mapping[str, Any], table: BuiltTable, sources: column_lineage.ColumnSources, keys: Mapping[str, dg.AssetKey]
) -> dict[str, Any]:
    """Dagster's standard metadata of a table. `keys`: the asset of each of dbt's unique ids."""
    lineage = {
        column: [dg.TableColumnDep(keys[parent], parent_column) for parent, parent_column in found]
        for column, found in sources.items()
    }
    columns = [
        _column(name, type_, node["columns"].get(name), lineage.get(name, [])) for name, type_ in table.columns.items()
    ]
    metadata: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns)}
    if lineage:
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(lineage)
    if table.rows is not None:
        metadata["dagster/row_count"] = table.rows
    return metadata


def _column(
    name: str, type_: str, described: Mapping[str, Any] | None, sources: Sequence[dg.TableColumnDep]
) -> dg.TableColumn:
    """A column whose description lists its sources, because only Dagster+ shows column lineage."""
    words = [f"`{source.asset_key.path[-1]}.{source.column_name}`" for source in sources]
    if len(words) > _SOURCES_SHOWN:
        words[_SOURCES_SHOWN:] = [f"{len(words) - _SOURCES_SHOWN} more"]
    paragraphs = [described["description"] if described else "", f"From {', '.join(words)}" if words else ""]
    return dg.TableColumn(
        name,
        type_,
        description="\n\n".join(filter(None, paragraphs)) or None,
        constraints=dg.TableColumnConstraints(nullable=described is None or not is_never_null(described)),
    )
