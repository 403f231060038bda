"""`evalwatt build`: load landed results, build the marts, check, publish."""

from __future__ import annotations

import click

from orchestration.cli import options


@click.command("build")
@options.as_json
@options.places()
def command(as_json: bool) -> None:
    """Load landed results, build and check the marts, publish them, and write the report. Evaluates nothing.

    \b
    Example:
      evalwatt build
    """
    from orchestration.cli.refreshed import refresh, show_refresh
    from orchestration.foreground import foreground
    from orchestration.home import Home

    home = Home.from_env()
    with foreground(home) as dagster:
        outcome = refresh(dagster)
    show_refresh(home, outcome, as_json)
