"""Answers statements that only read, for `evalwatt sql` and its prompt."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.cli.errors import WrongUse
from orchestration.cli.plain_table import plain_table

if TYPE_CHECKING:
    import duckdb

_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?(\s*\([^)]*\))?", re.IGNORECASE)


def answer(connection: duckdb.DuckDBPyConnection, text: str, form: str = "table", output: Path | None = None) -> None:
    """Print or write the answer to one statement. Raises WrongUse if it is not valid SQL or would write."""
    import duckdb

    try:
        check_reads(connection, text)
        _write(connection.execute(text), form, output)
    except duckdb.InterruptException:
        raise
    except duckdb.CatalogException as error:
        raise WrongUse(f"SQL: {str(error).strip()}\n`show tables` lists what is published") from None
    except duckdb.Error as error:
        raise WrongUse(f"SQL: {str(error).strip()}") from None


def check_reads(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Raises WrongUse for anything but one statement that only reads, duckdb.Error for invalid SQL."""
    import duckdb

    statements = connection.extract_statements(text)
    if len(statements) != 1:
        raise WrongUse(f"one statement at a time; this is {len(statements)}")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        # `explain analyze` runs what it explains, and DuckDB lets a copy write the attached file's `.wal`.
        explained = connection.extract_statements(_EXPLAIN.sub("", text, count=1))
        kind = explained[0].type if len(explained) == 1 else kind
    if kind != duckdb.StatementType.SELECT:
        raise WrongUse(
            f"published marts are read-only, and this is a statement of type {kind.name.lower()}; use `select`"
        )


def _write(result: duckdb.DuckDBPyConnection, form: str, output: Path | None) -> None:
    if form == "parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(result.to_arrow_table(), output)
        return
    names = [column[0] for column in result.description or ()]
    with open(output, "w", encoding="utf-8", newline="") if output else _standard_output() as file:
        if form == "csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            while rows := result.fetchmany(10_000):
                writer.writerows(rows)
        elif form == "json":
            objects = [dict(zip(names, map(_plain, row), strict=True)) for row in result.fetchall()]
            # In one write: output is searched for secrets, and in small pieces that took minutes.
            file.write(json.dumps(objects, indent=2, default=str, ensure_ascii=False) + "\n")
        else:
            file.write(plain_table(names, result.fetchall()))


def _standard_output() -> Any:
    import contextlib

    return contextlib.nullcontext(sys.stdout)


def _plain(value: object) -> object:
    """JSON has neither NaN nor infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
