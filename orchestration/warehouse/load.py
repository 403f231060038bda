"""Loads the landing into schema `raw` of the private build file.

Belongs here: loading, quarantine, rebuilding, and the locks that allow only one writer. `raw_schema` defines valid
bundles; dbt transforms the rows.

A bundle is loaded in one transaction together with its row in `raw.loads`, so after a killed load each bundle is either
loaded or not, and the next load takes only what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from evaluators import durable
from evaluators.landing import bundles
from evaluators.landing.lifecycle import close_abandoned, unreadable
from evaluators.records import RECORDS
from orchestration.home import Home
from orchestration.warehouse import raw_schema
from orchestration.warehouse.raw_schema import BundleRejected

Log = Callable[[str], None]

LOCK_WAIT_S = 60.0


class WarehouseBusy(Exception):
    """Another process is using the warehouse; the message names the lock and says what to do."""


class WarehouseOutdated(Exception):
    """The raw tables are from another version of Evalwatt; `evalwatt rebuild` recreates them."""


@dataclass(slots=True)
class LoadReport:
    """What one load did. `quarantined` has run id, bundle and reason; `states` counts all loaded states."""

    loaded_runs: int = 0
    loaded_bundles: int = 0
    states: int = 0
    row_counts: Counter[str] = field(default_factory=Counter)
    quarantined: list[tuple[str, str, str]] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)


def load(home: Home, log: Log = lambda line: None, wait: float = LOCK_WAIT_S) -> LoadReport:
    """Load all bundles of ended runs, leaderboard states and decisions that are not loaded yet.

    Raises WarehouseBusy if another process is writing, WarehouseOutdated if the file has different raw tables.
    """
    with _writer(home, wait):
        return _load_into(home.warehouse, home, log)


def rebuild(home: Home, log: Log = lambda line: None, wait: float = LOCK_WAIT_S) -> LoadReport:
    """Rebuild the warehouse from the landing; nobody reads the old file, so it is simply replaced.

    The new file has only raw tables, until dbt builds the others.
    """
    fresh = home.warehouse.with_name(f"{home.warehouse.name}.rebuild")
    with _writer(home, wait):
        _remove(fresh)
        report = _load_into(fresh, home, log)
        # DuckDB would replay the old file's log into the new file; without the log, the old file only lacks bundles.
        _wal(home.warehouse).unlink(missing_ok=True)
        os.replace(fresh, home.warehouse)
    return report


@contextmanager
def refresh_lock(home: Home, wait: float = 0.0) -> Iterator[None]:
    """Hold the right to refresh this EVALWATT_HOME: load, dbt, publish. Raises WarehouseBusy."""
    with _lock(
        home.locks / "refresh.lock", wait, "another refresh of this EVALWATT_HOME is running; wait until it has ended"
    ):
        yield


@contextmanager
def _writer(home: Home, wait: float) -> Iterator[None]:
    with _lock(home.locks / "warehouse.lock", wait, "another process is loading the warehouse; try again later"):
        yield


@contextmanager
def _lock(path: Path, wait: float, message: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait):
            yield
    except Timeout:
        raise WarehouseBusy(f"{message} ({path})") from None


def _load_into(path: Path, home: Home, log: Log) -> LoadReport:
    report = LoadReport()
    for folder in unreadable(home.landing):
        reason = f"{bundles.RUN_FILE} is damaged, and the run has no end; its tasks are due again"
        _quarantine(bundles.Bundle(folder.name, "run", folder, {}), home.quarantine, reason)
        report.quarantined.append((folder.name, "run", reason))
        log(f"quarantined {folder.name}: {reason}")
    report.interrupted = close_abandoned(home.landing)
    with _connect(path) as connection:
        _create_tables(connection)
        load_id = bundles.new_run_id()
        if _load_ended_runs(connection, home, load_id, report, log):
            # A run without an end bundle counts as abandoned: closing it lands a new end, and its tasks are kept.
            report.interrupted += close_abandoned(home.landing)
            _load_ended_runs(connection, home, load_id, report, log)
        connection.execute("checkpoint")
        report.states = _count_states(connection)
    log(
        f"loaded {report.loaded_bundles} bundles of {report.loaded_runs} runs into {path.name}, states: {report.states}"
    )
    return report


def _load_ended_runs(
    connection: duckdb.DuckDBPyConnection, home: Home, load_id: str, report: LoadReport, log: Log
) -> list[str]:
    """Load what is missing, a run's end first. Returns the runs whose end was quarantined, which are skipped.

    Leaderboard states and decisions have no end: each is complete by itself.
    """
    done = set(connection.execute("select run_id, bundle from raw.loads").fetchall())
    landed: dict[str, list[bundles.Bundle]] = {}
    for bundle in bundles.bundles(home.landing):
        landed.setdefault(bundle.run_id, []).append(bundle)
    without_end = []
    for run_id, members in landed.items():
        ordered = sorted(members, key=lambda bundle: bundle.name != bundles.END_BUNDLE)
        if ordered[0].name != bundles.END_BUNDLE and not bundles.stands_alone(ordered[0]):
            continue
        for bundle in ordered:
            if (run_id, bundle.name) in done:
                continue
            try:
                counts = _load_bundle(connection, bundle, home.landing, load_id)
            except BundleRejected as rejected:
                _quarantine(bundle, home.quarantine, str(rejected))
                report.quarantined.append((run_id, bundle.name, str(rejected)))
                log(f"quarantined {run_id}/{bundle.name}: {rejected}")
                if bundle.name == bundles.END_BUNDLE:
                    without_end.append(run_id)
                    break
                continue
            report.loaded_bundles += 1
            report.loaded_runs += bundle.name == bundles.END_BUNDLE
            report.row_counts.update(counts)
    return without_end


def _count_states(connection: duckdb.DuckDBPyConnection) -> int:
    query = "select count(*) from raw.loads where bundle = ?"
    (count,) = connection.execute(query, [bundles.STATE_BUNDLE]).fetchall()[0]
    return int(count)


def _load_bundle(
    connection: duckdb.DuckDBPyConnection, bundle: bundles.Bundle, root: Path, load_id: str
) -> dict[str, int]:
    """Load a bundle and return rows per table. Raises BundleRejected and leaves the warehouse unchanged."""
    tables = raw_schema.read_bundle(bundle)
    counts = {record.table: table.num_rows for record, table in tables.items()}
    connection.begin()
    try:
        for record, table in tables.items():
            landed = bundle.files[record.table].relative_to(root).as_posix()
            connection.register("incoming", table)
            connection.execute(
                f"insert into raw.{record.table} by name select *, ? as {raw_schema.LANDED_FILE} from incoming",
                [landed],
            )
            connection.unregister("incoming")
        connection.execute(
            "insert into raw.loads values (?, ?, ?, ?, map(?, ?))",
            [load_id, datetime.now(UTC), bundle.run_id, bundle.name, list(counts), list(counts.values())],
        )
        connection.commit()
    except duckdb.ConstraintException as error:
        connection.rollback()
        raise BundleRejected(f"rows of another bundle have the same key: {error}") from None
    except BaseException:
        connection.rollback()
        raise
    return counts


def _quarantine(bundle: bundles.Bundle, quarantine: Path, reason: str) -> None:
    """Move the bundle out of the landing. The reason is written before the move, so that both arrive together."""
    target = quarantine / bundle.run_id / bundle.name
    number = 1
    while target.exists():
        number += 1
        target = quarantine / bundle.run_id / f"{bundle.name}.{number}"
    target.parent.mkdir(parents=True, exist_ok=True)
    reason_file = bundle.path / "reason.json"
    reason_file.unlink(missing_ok=True)
    facts = {
        "run_id": bundle.run_id,
        "bundle": bundle.name,
        "reason": reason,
        "quarantined_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    durable.write_durably(reason_file, json.dumps(facts, indent=2).encode())
    shutil.move(bundle.path, target)


@contextmanager
def _connect(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(path)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise WarehouseBusy(f"{path} is open in another process; close that one first ({error})") from None
    with connection:
        # Bundles are small: threads cost more than they gain, and one checkpoint at the end is enough. A leaderboard
        # state takes 45 ms this way, and 100 to 140 ms otherwise.
        connection.execute("set threads = 1; set wal_autocheckpoint = '1GB'")
        yield connection


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create schema if not exists {raw_schema.SCHEMA}")
    connection.execute(raw_schema.LOADS_DDL)
    for record in RECORDS:
        connection.execute(raw_schema.ddl(record))
        found = connection.execute(
            "select column_name, data_type, is_nullable from duckdb_columns() "
            "where schema_name = ? and table_name = ? and not internal order by column_index",
            [raw_schema.SCHEMA, record.table],
        ).fetchall()
        if found != raw_schema.raw_columns(record):
            raise WarehouseOutdated(
                f"raw.{record.table} has the columns of another version of Evalwatt; run `evalwatt rebuild`"
            )


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _wal(path).unlink(missing_ok=True)
