"""`evalwatt report`: the report page of the published marts."""

from __future__ import annotations

import json

import click

from orchestration.cli import options
from orchestration.home import MARTS_FILE


@click.command("report")
@click.option("--open", "opened", is_flag=True, help="Open the report in the browser.")
@options.as_json
@options.places(catalogue=False)
def command(opened: bool, as_json: bool) -> None:
    """Write the report on the published marts: one HTML page that works offline.

    Every refresh also writes it.

    \b
    Example:
      evalwatt report --open
    """
    from orchestration import report
    from orchestration.home import Home
    from orchestration.warehouse import publication

    home = Home.from_env()
    page = report.write(publication.current(home) / MARTS_FILE, home.report)
    if as_json:
        print(json.dumps({"report": str(page)}, indent=2))
    else:
        print(page)
    if opened:
        click.launch(page.as_uri())
