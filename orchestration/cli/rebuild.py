"""`evalwatt rebuild`: the warehouse anew, from the landing."""

from __future__ import annotations

import click

from orchestration.cli import options


@click.command("rebuild")
@options.places()
def command() -> None:
    """Make the warehouse anew from the landing, which is the truth; then build, check and publish."""
    from orchestration.foreground import foreground
    from orchestration.home import Home
    from orchestration.warehouse import rebuild, refresh_lock

    home = Home.from_env()
    with refresh_lock(home):
        rebuild(home, log=print)
    with foreground(home) as dagster:
        outcome = dagster.refresh()
    if not outcome.succeeded:
        raise click.ClickException("nothing was published: " + "\n".join(outcome.reasons))
    print(f"published {home.current / 'marts.duckdb'}")
