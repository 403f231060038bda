"""`evalwatt build`: load what was landed, build the marts, check, publish."""

from __future__ import annotations

import click

from orchestration.cli import options


@click.command("build")
@options.places()
def command() -> None:
    """Load what was landed, build and check the marts, publish them, write the report. Evaluates nothing."""
    from orchestration.foreground import foreground
    from orchestration.home import Home

    home = Home.from_env()
    with foreground(home) as dagster:
        outcome = dagster.refresh()
    if outcome.published:
        print(f"published {home.current / 'marts.duckdb'}")
    if not outcome.succeeded:
        raise click.ClickException(f"{outcome.what_failed}: " + "\n".join(outcome.reasons))
    print(f"report    {home.report_page}")
