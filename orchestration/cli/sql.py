"""`evalwatt sql`: read statements on the published marts. Fast: no dagster, torch, dbt or pyarrow on this way."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli import options
from orchestration.cli.errors import WrongUse
from orchestration.cli.plain_table import plain_table
from orchestration.home import Home

if TYPE_CHECKING:
    import duckdb

FORMATS = ("table", "csv", "json", "parquet")
_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?(\s*\([^)]*\))?", re.IGNORECASE)


class _Sql(click.Command):
    """A statement may begin with a comment, as a file's does: `--` and a blank, which begins no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        commented = [argument for argument in args if re.match(r"--\s", argument)]
        others = [argument for argument in args if argument not in commented]
        return super().parse_args(ctx, [*others, *(["--", *commented] if commented else [])])


@click.command("sql", cls=_Sql)
@click.argument("statement", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file; parquet needs one."
)
@options.places(catalogue=False)
def command(statement: str | None, form: str, output: Path | None) -> None:
    """Ask the published marts. Reads only, and only what is published.

    Without STATEMENT: a prompt on a terminal, and elsewhere the statement on standard input.

    \b
    Examples:
      evalwatt sql "select model_id, score, energy_kwh from marts.mart_model_efficiency"
      evalwatt sql --format csv < query.sql
      evalwatt sql
    """
    if form == "parquet" and output is None:
        raise WrongUse("--format parquet needs --output FILE")
    home = Home.from_env()
    if statement is None and sys.stdin.isatty():
        if form != "table" or output is not None or not sys.stdout.isatty():
            raise WrongUse('name what is asked: evalwatt sql "select …"; the prompt answers on the terminal only')
        from orchestration.cli.sql_prompt import prompt

        prompt(home)
        return
    text = sys.stdin.read() if statement is None or statement == "-" else statement
    if not text.strip():
        raise WrongUse('nothing is asked: evalwatt sql "select …", or a statement on standard input')
    with connect(home) as connection:
        answer(connection, text, form, output)


def answer(connection: duckdb.DuckDBPyConnection, text: str, form: str = "table", output: Path | None = None) -> None:
    """Print, or write, the answer to one statement. Raises WrongUse for what is not SQL or does not only read."""
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


def connect(home: Home) -> duckdb.DuckDBPyConnection:
    """The published file, read-only, with no way out of it. Raises ClickException where nothing is published."""
    import duckdb

    file = home.current / "marts.duckdb"
    if not file.exists():
        raise click.ClickException(
            f"nothing is published under {home.published} yet: `evalwatt run` evaluates and publishes"
        )
    connection = duckdb.connect()
    # As database `marts`, which is what DuckDB calls it when the file is opened by itself: marts.dim_models is a name
    # in both. Resolved, so that a publication in between changes nothing for this query.
    name = str(file.resolve()).replace("'", "''")
    connection.execute(f"attach '{name}' as marts (read_only); use marts")
    # What does not fit into memory would be spilled to a folder.
    connection.execute("set temp_directory = ''; set enable_external_access = false; set lock_configuration = true")
    return connection


def check_reads(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Raises WrongUse for anything but one statement that reads, duckdb.Error for what is not SQL."""
    import duckdb

    statements = connection.extract_statements(text)
    if len(statements) != 1:
        raise WrongUse(f"one statement at a time, this has {len(statements)}")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        # `explain analyze` runs what it explains, and DuckDB lets a copy write the attached file's `.wal`.
        explained = connection.extract_statements(_EXPLAIN.sub("", text, count=1))
        kind = explained[0].type if len(explained) == 1 else kind
    if kind != duckdb.StatementType.SELECT:
        raise WrongUse(
            f"published marts are read-only, and this is a statement of type {kind.name.lower()}; use select"
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
            # At once: what is printed is looked through for secrets, and piece by piece that took minutes.
            file.write(json.dumps(objects, indent=2, default=str, ensure_ascii=False) + "\n")
        else:
            file.write(plain_table(names, result.fetchall()))


def _standard_output() -> Any:
    import contextlib

    return contextlib.nullcontext(sys.stdout)


def _plain(value: object) -> object:
    """JSON has neither NaN nor infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
