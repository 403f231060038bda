"""A refresh in the foreground, and how `build` and `rebuild` report what it published."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from orchestration.foreground import Foreground, Outcome
    from orchestration.home import Home


def refresh(dagster: Foreground) -> Outcome:
    """Load, build, check, publish and write the report; standard error says so."""
    from evaluators.wording import duration

    print("loading, building and checking the marts", file=sys.stderr, flush=True)
    began = time.monotonic()
    outcome = dagster.refresh()
    print(f"  done in {duration(time.monotonic() - began)}", file=sys.stderr, flush=True)
    return outcome


def why_failed(outcome: Outcome) -> str:
    return "; ".join(outcome.reasons) or f"see Dagster's run {outcome.run_id}"


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
