"""The files of one version: the build file's marts with their comments, as one database and as Parquet.

A version starts as a copy of the previous one, and what differs from the build file is replaced; Parquet files with the
same rows are shared by hard links. Both sides are read and compared each time, so that a damaged previous version does
not affect its successor.

In the published file the marts are in the default schema: DuckDB names the database after the file, `marts`, so that
`select * from marts.dim_models` works in it as in the build file. With a schema `marts` in a database `marts`, DuckDB
would reject the name as ambiguous (seen with DuckDB 1.5.6).

Belongs here: reading the build file, and writing a version's files. Only schema `marts` leaves the build file, so no
prompt or answer does. `publication` handles the folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from orchestration.home import MARTS_FILE, Home
from orchestration.warehouse.versions import PublicationRefused, remove

SCHEMA = "marts"
PUBLICATION = "publication"

_PUBLICATION_DDL = f"""
create table {PUBLICATION} (
    build_id varchar not null primary key,
    published_at timestamp with time zone not null,
    git_sha varchar,
    row_counts map(varchar, bigint) not null,
    checks map(varchar, bigint) not null
);
comment on table {PUBLICATION} is 'One row: which build this file is.';
comment on column {PUBLICATION}.build_id is 'Name of the version, sorts by time.';
comment on column {PUBLICATION}.published_at is 'When it was published.';
comment on column {PUBLICATION}.git_sha is 'Commit of the project that built it; NULL outside a checkout.';
comment on column {PUBLICATION}.row_counts is 'Rows per mart.';
comment on column {PUBLICATION}.checks is 'Results of the checks that ran before: number per outcome.';
"""

# The number of rows and a sum over their hashes: equal if the rows are, in any order. Computed for both sides each
# time: a stored hash would describe what a file was, not what it is.
_CONTENT = "count(*) as row_count, coalesce(sum(hash(table_row)::hugeint), 0) as content"


@dataclass(frozen=True, slots=True)
class _Table:
    """A table's DDL and comments."""

    ddl: str
    comment: str | None
    column_comments: tuple[tuple[str, str], ...]


def settle(warehouse: Path) -> None:
    """Apply a leftover write-ahead log to the build file, or refuse: without it, committed rows would be missing."""
    if not warehouse.exists():
        raise PublicationRefused(f"{warehouse} does not exist; run `evalwatt build` first")
    wal = warehouse.with_name(f"{warehouse.name}.wal")
    if not wal.exists():
        return
    with _warehouse(warehouse, "read_write") as connection:
        connection.execute("checkpoint warehouse")
    if wal.exists():
        raise PublicationRefused(f"{wal} cannot be applied to the warehouse; `evalwatt rebuild` rebuilds it")


@contextmanager
def _warehouse(path: Path, mode: Literal["read_only", "read_write"]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the build file attached as `warehouse`."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            connection.execute(f"attach {_literal(str(path))} as warehouse ({mode})")
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            raise PublicationRefused(f"{path} is open in another process; close that one first ({error})") from None
        yield connection


def export_onto_the_version_before(home: Home, folder: Path) -> dict[str, int]:
    """Export the marts, reusing what is unchanged in the previous version if that can be read."""
    previous = home.current.resolve() if home.current.exists() else None
    try:
        return _export(home.warehouse, folder, previous)
    except (duckdb.Error, OSError):
        if previous is None:
            raise
    remove(folder)
    (folder / "parquet").mkdir(parents=True)
    return _export(home.warehouse, folder, None)


def _export(warehouse: Path, folder: Path, previous: Path | None) -> dict[str, int]:
    """Write the marts with constraints and comments, and as Parquet. Returns rows per mart."""
    with _warehouse(warehouse, "read_only") as connection:
        marts = _tables(connection, "warehouse", SCHEMA)
        if not marts:
            raise PublicationRefused(f"{warehouse} holds no marts; run `evalwatt build` first")
        if previous is not None and not _take_over(connection, folder, previous, marts):
            previous = None
        if previous is None:
            _create(connection, folder, marts)
        row_counts = {}
        for mart in marts:
            changed = _copy_what_differs(connection, mart)
            table, parquet = f"target.{_identifier(mart)}", Path("parquet", f"{mart}.parquet")
            if changed or previous is None or not _link(connection, table, previous / parquet, folder / parquet):
                connection.execute(
                    f"copy {table} to {_literal(str(folder / parquet))} (format parquet, compression zstd)"
                )
            ((row_counts[mart],),) = connection.execute(f"select count(*) from {table}").fetchall()
        connection.execute("detach target")
    return row_counts


def _tables(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> dict[str, _Table]:
    tables = connection.execute(
        "select table_name, sql, comment from duckdb_tables() where database_name = ? and schema_name = ? order by all",
        [database, schema],
    ).fetchall()
    comments = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() "
        "where database_name = ? and schema_name = ? and comment is not null order by table_name, column_index",
        [database, schema],
    ).fetchall()
    return {
        name: _Table(
            ddl.replace(f"CREATE TABLE {SCHEMA}.", "CREATE TABLE ", 1),
            comment,
            tuple((column, text) for table, column, text in comments if table == name),
        )
        for name, ddl, comment in tables
    }


def _create(connection: duckdb.DuckDBPyConnection, folder: Path, marts: Mapping[str, _Table]) -> None:
    """A published file with empty marts, attached as `target`."""
    connection.execute(f"attach {_literal(str(folder / MARTS_FILE))} as target")
    connection.execute("use target")
    for mart, table in marts.items():
        connection.execute(table.ddl)
        if table.comment is not None:
            connection.execute(f"comment on table {_identifier(mart)} is {_literal(table.comment)}")
        for column, comment in table.column_comments:
            connection.execute(f"comment on column {_identifier(mart)}.{_identifier(column)} is {_literal(comment)}")
    connection.execute("use memory")


def _take_over(
    connection: duckdb.DuckDBPyConnection, folder: Path, previous: Path, marts: Mapping[str, _Table]
) -> bool:
    """Attach a copy of the previous version as `target`, unless its tables differ from these marts."""
    shutil.copyfile(previous / MARTS_FILE, folder / MARTS_FILE)
    connection.execute(f"attach {_literal(str(folder / MARTS_FILE))} as target")
    connection.execute(f"drop table if exists target.{PUBLICATION}")
    views = connection.execute("select 1 from duckdb_views() where database_name = 'target' and not internal")
    if not views.fetchall() and _tables(connection, "target", "main") == marts:
        return True
    connection.execute("detach target")
    (folder / MARTS_FILE).unlink()
    return False


def _copy_what_differs(connection: duckdb.DuckDBPyConnection, mart: str) -> bool:
    """Update a mart of `target` to the built rows, state by state if it has states. Returns whether it differed."""
    built, published = f"warehouse.{SCHEMA}.{_identifier(mart)}", f"target.{_identifier(mart)}"
    columns = {name for name, *_ in connection.execute(f"describe {built}").fetchall()}
    state = "as_of" if "as_of" in columns else "null"
    contents = [
        f"select {state} as state, {_CONTENT} from {table} as table_row group by all" for table in (built, published)
    ]
    connection.execute(
        f"create or replace temp table differing as with built as materialized ({contents[0]}), "
        f"published as materialized ({contents[1]}) "
        "select state from (from built except from published) union "
        "select state from (from published except from built)"
    )
    differs = f"exists (select 1 from differing where differing.state is not distinct from {state})"
    if not connection.execute("select 1 from differing limit 1").fetchall():
        return False
    connection.execute(f"delete from {published} where {differs}")
    connection.execute(
        "checkpoint target"
    )  # makes the freed space reusable; otherwise the file grows with every version
    connection.execute(f"insert into {published} select * from {built} where {differs}")
    return True


def _link(connection: duckdb.DuckDBPyConnection, table: str, file: Path, link: Path) -> bool:
    """Share a file of the previous version if it has the table's rows. Some file systems do not support links."""
    try:
        contents = [
            connection.execute(f"select {_CONTENT} from {source} as table_row").fetchall()
            for source in (table, f"read_parquet({_literal(str(file))})")
        ]
        if contents[0] == contents[1]:
            os.link(file, link)
            return True
    except (duckdb.Error, OSError):
        pass
    return False


def describe(
    folder: Path,
    build_id: str,
    published_at: datetime,
    git_sha: str | None,
    row_counts: Mapping[str, int],
    checks: Mapping[str, int],
) -> None:
    """Add the table `publication`, which identifies the build."""
    with duckdb.connect(folder / MARTS_FILE) as connection:
        connection.execute(_PUBLICATION_DDL)
        connection.execute(
            f"insert into {PUBLICATION} values (?, ?, ?, map(?, ?), map(?::varchar[], ?::bigint[]))",
            [
                build_id,
                published_at,
                git_sha,
                list(row_counts),
                list(row_counts.values()),
                list(checks),
                list(checks.values()),
            ],
        )
        parquet = _literal(str(folder / "parquet" / f"{PUBLICATION}.parquet"))
        connection.execute(f"copy {PUBLICATION} to {parquet} (format parquet, compression zstd)")
        connection.execute("checkpoint")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """Quote text for statements without bound parameters: ATTACH, COPY and COMMENT."""
    return "'" + text.replace("'", "''") + "'"
