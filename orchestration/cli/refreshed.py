"""How `build` and `rebuild` report what a refresh published."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from orchestration.foreground import Outcome
    from orchestration.home import Home


def show_refresh(home: Home, outcome: Outcome, as_json: bool) -> None:
    """Print where the marts and the report are. Raises ClickException if the refresh failed."""
    marts = home.marts
    if as_json:
        answer = {
            "published": str(marts.resolve()) if outcome.published else None,
            "report": str(home.report_page) if outcome.succeeded else None,
            "failures": list(outcome.reasons),
        }
        print(json.dumps(answer, indent=2))
    elif outcome.published:
        print(f"published {marts}")
    if not outcome.succeeded:
        raise click.ClickException(f"{outcome.what_failed}: " + "\n".join(outcome.reasons))
    if not as_json:
        print(f"report    {home.report_page}")
