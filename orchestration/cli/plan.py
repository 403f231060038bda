"""`evalwatt plan`: what is due and why."""

from __future__ import annotations

import dataclasses
import json

import click

from orchestration.cli import options


@click.command("plan")
@options.as_json
@options.places()
def command(as_json: bool) -> None:
    """Show what is due and why, and how long it will probably take. Starts nothing.

    \b
    Example:
      evalwatt plan --json
    """
    from evaluators.catalogue.entries import load
    from evaluators.plan import plan
    from orchestration.home import Home, catalogue_path

    planned = plan(load(catalogue_path()), Home.from_env().path)
    if as_json:
        print(json.dumps([dataclasses.asdict(run) for run in planned], indent=2))
        return
    from orchestration.cli.show import console, plan_table

    console().print(plan_table(planned))
    due = [run for run in planned if run.due]
    unknown = {run.expectation for run in due if run.expected_duration_s is None}
    console().print(f"\n{len(due)} of {len(planned)} are due." + "".join(f" Duration: {words}." for words in unknown))
