"""`evalwatt sql`: read statements on the published marts. Fast: no dagster, torch, dbt or pyarrow on this way."""

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
