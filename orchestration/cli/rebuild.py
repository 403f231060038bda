"""`evalwatt rebuild`: rebuilds the warehouse from the landing."""

from __future__ import annotations

import sys

import click

from orchestration.cli import options


@click.command("rebuild")
@options.as_json
@options.places()
def command(as_json: bool) -> None:
    """Rebuild the warehouse from the landing, the source of truth; then build, check and publish.

    \b
    Example:
      evalwatt rebuild --home /var/lib/evalwatt
    """
    from evaluators.catalogue.entries import load
    from orchestration.cli.refreshed import show_refresh
    from orchestration.foreground import foreground
    from orchestration.home import Home, catalogue_path
    from orchestration.warehouse.load import rebuild, refresh_lock

    home = Home.from_env()
    load(catalogue_path())  # the refresh needs it: fail before the long rebuild
    with refresh_lock(home):
        rebuild(home, log=lambda line: print(line, file=sys.stderr, flush=True))
    with foreground(home) as dagster:
        print("building and checking the marts", file=sys.stderr, flush=True)
        outcome = dagster.refresh()
    show_refresh(home, outcome, as_json)
