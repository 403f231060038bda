"""Raw tables: the landing, loaded into schema `raw` of the warehouse. One step loads them all."""

import inspect
from collections.abc import Iterator, Sequence

import dagster as dg

from evaluators.records import RECORDS, LeaderboardSnapshot, Record, columns
from orchestration.defs.evaluations import model_evaluations
from orchestration.defs.leaderboard import leaderboard_states
from orchestration.defs.resources import Paths, RefreshLock
from orchestration.instance.names import OWNERS, WAREHOUSE_POOL
from orchestration.ui import evidence_tags
from orchestration.ui.summaries import markdown_table
from orchestration.warehouse import load as warehouse
from orchestration.warehouse.built_tables import built_tables


def raw_key(table: str) -> dg.AssetKey:
    return dg.AssetKey(["raw", table])


def _spec(table: str, description: str | None, deps: Sequence[dg.AssetsDefinition], **metadata: object) -> dg.AssetSpec:
    return dg.AssetSpec(
        raw_key(table),
        deps=deps,
        description=description,
        group_name="raw",
        kinds={"duckdb", "table"},
        owners=OWNERS,
        tags=evidence_tags.of_raw_table(table),
        metadata=metadata,
    )


def _record_spec(record: type[Record]) -> dg.AssetSpec:
    schema = dg.TableSchema(
        [
            dg.TableColumn(c.name, c.type.__name__, constraints=dg.TableColumnConstraints(nullable=c.nullable))
            for c in columns(record)
        ]
    )
    deps = [leaderboard_states if record is LeaderboardSnapshot else model_evaluations]
    metadata = {"key": ", ".join(record.key), "dagster/column_schema": schema}
    return _spec(record.table, inspect.getdoc(record), deps, **metadata)


LOADS = _spec(
    "loads",
    "One row per loaded bundle, written in the same transaction as the bundle's rows.",
    [model_evaluations, leaderboard_states],
)


@dg.multi_asset(specs=[*map(_record_spec, RECORDS), LOADS], pool=WAREHOUSE_POOL)
def raw_tables(
    context: dg.AssetExecutionContext, paths: Paths, refresh_lock: RefreshLock
) -> Iterator[dg.MaterializeResult]:
    """Load ended runs and leaderboard states from the landing. Damaged bundles go to the quarantine.

    Leaderboard states are optional.
    """
    report = warehouse.load(paths.home, log=context.log.info)
    quarantined = markdown_table(["run", "bundle", "reason"], report.quarantined)
    states: dict[str, int | str] = {"leaderboard_states": report.states}
    if report.states == 0:
        states["leaderboard_import"] = "no state yet: `evalwatt import-leaderboard PATH…|hub`, then `evalwatt build`"
    rows = {record.table: report.row_counts[record.table] for record in RECORDS} | {"loads": report.loaded_bundles}
    tables = built_tables(paths.home.warehouse)
    for table, rows_loaded in rows.items():
        yield dg.MaterializeResult(
            asset_key=raw_key(table),
            metadata={
                "dagster/row_count": tables[f"raw.{table}"].rows,
                "rows_loaded": rows_loaded,
                "runs_loaded": report.loaded_runs,
                "runs_interrupted": len(report.interrupted),
                "bundles_quarantined": len(report.quarantined),
                **({"quarantined": dg.MetadataValue.md(quarantined)} if report.quarantined else {}),
                **(states if table == LeaderboardSnapshot.table else {}),
            },
        )
