"""The published file, and the only way to open it. Imports nothing slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.home import Home

if TYPE_CHECKING:
    import duckdb


class NothingPublished(Exception):
    """There is no published version yet."""


def connect(home: Home) -> duckdb.DuckDBPyConnection:
    """Open the published file, read-only and without access to anything else. Raises NothingPublished."""
    import duckdb

    if not home.marts.exists():
        raise NothingPublished(
            f"nothing is published under {home.published} yet: `evalwatt run` evaluates and publishes"
        )
    connection = duckdb.connect()
    # As database `marts`, DuckDB's name for it when the file is opened directly, so that marts.dim_models works in
    # both. Resolved, so that a publication in between does not affect this query.
    name = str(home.marts.resolve()).replace("'", "''")
    connection.execute(f"attach '{name}' as marts (read_only); use marts")
    # Without this, DuckDB would spill to a folder.
    connection.execute("set temp_directory = ''; set enable_external_access = false; set lock_configuration = true")
    return connection
