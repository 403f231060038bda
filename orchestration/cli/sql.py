"""`evalwatt sql`: queries on the published marts. Starts fast: imports no dagster, torch, dbt or pyarrow."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from orchestration.cli import options
from orchestration.cli.errors import WrongUse
from orchestration.cli.sql_answer import answer
from orchestration.home import Home
from orchestration.warehouse.published import connect

FORMATS = ("table", "csv", "json", "parquet")


class _Sql(click.Command):
    """A statement may start with a comment, as in a file: `--` and a blank, which is not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        commented = [argument for argument in args if re.match(r"--\s", argument)]
        others = [argument for argument in args if argument not in commented]
        return super().parse_args(ctx, [*others, *(["--", *commented] if commented else [])])


@click.command("sql", cls=_Sql)
@click.argument("statement", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file; required for parquet."
)
@options.places(catalogue=False)
def command(statement: str | None, form: str, output: Path | None) -> None:
    """Query the published marts, read-only.

    Without STATEMENT: opens a prompt on a terminal, and otherwise reads the statement from standard input.

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
            raise WrongUse('give a statement: evalwatt sql "select …"; the prompt prints tables on the terminal only')
        from orchestration.cli.sql_prompt import prompt

        prompt(home)
        return
    text = sys.stdin.read() if statement is None or statement == "-" else statement
    if not text.strip():
        raise WrongUse('there is no statement: evalwatt sql "select …", or pipe one to standard input')
    with connect(home) as connection:
        answer(connection, text, form, output)
