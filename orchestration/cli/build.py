"""`evalwatt build`: load what was landed, build the marts, check, publish."""

from __future__ import annotations

import sys

import click

from orchestration.cli import options


@click.command("build")
@options.as_json
@options.places()
def command(as_json: bool) -> None:
    """Load what was landed, build and check the marts, publish them, write the report. Evaluates nothing.

    \b
    Example:
      evalwatt build
    """
    from orchestration.cli.refreshed import tell
    from orchestration.foreground import foreground
    from orchestration.home import Home

    home = Home.from_env()
    with foreground(home) as dagster:
        print("loading, building and checking the marts", file=sys.stderr, flush=True)
        outcome = dagster.refresh()
    tell(home, outcome, as_json)
