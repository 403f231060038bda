"""The published file, and the one way to open it. Imports nothing that is slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.home import Home

if TYPE_CHECKING:
    import duckdb


class NothingPublished(Exception):
    """There is no published version yet."""


def connect(home: Home) -> duckdb.DuckDBPyConnection:
    """The published file, read-only, with no way out of it. Raises NothingPublished."""
    import duckdb

    if not home.marts.exists():
        raise NothingPublished(
            f"nothing is published under {home.published} yet: `evalwatt run` evaluates and publishes"
        )
    connection = duckdb.connect()
    # As database `marts`, which is what DuckDB calls it when the file is opened by itself: marts.dim_models is a name
    # in both. Resolved, so that a publication in between changes nothing for this query.
    name = str(home.marts.resolve()).replace("'", "''")
    connection.execute(f"attach '{name}' as marts (read_only); use marts")
    # What does not fit into memory would be spilled to a folder.
    connection.execute("set temp_directory = ''; set enable_external_access = false; set lock_configuration = true")
    return connection
