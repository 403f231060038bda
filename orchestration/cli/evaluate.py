"""`evalwatt evaluate MODEL`: evaluates one partition."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orchestration.cli import complete as completion
from orchestration.cli import options, repetitions

if TYPE_CHECKING:
    from evaluators.plan import PlannedRun


@click.command("evaluate")
@click.argument("model", shell_complete=completion.models)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="SUITE",
    shell_complete=completion.suites,
    help="Only this suite; can be given several times.",
)
@click.option("--force", is_flag=True, help="Evaluate even what is not due.")
@click.option(
    "--complete",
    is_flag=True,
    help="Ask everything, also where a suite's `until` stopped before; only the rest is asked.",
)
@repetitions.until_precise
@options.as_json
@options.places()
def command(
    model: str,
    suites: tuple[str, ...],
    force: bool,
    complete: bool,
    half_width: float | None,
    repeat_for_s: float,
    as_json: bool,
) -> None:
    """Evaluate what is due for one MODEL of the catalogue. `evalwatt build` publishes the result.

    \b
    Examples:
      evalwatt evaluate SmolLM2-135M-Instruct
      evalwatt evaluate SmolLM2-135M-Instruct --suite mini --force
      evalwatt evaluate SmolLM2-135M-short-answers --complete
    """
    from evaluators.catalogue.entries import load
    from evaluators.plan import plan
    from orchestration.home import Home, catalogue_path

    home = Home.from_env()
    catalogue, chosen = load(catalogue_path()), suites or None
    planned = plan(catalogue, home.path, models=[model], suites=chosen, force=force, complete=complete)
    if not any(run.due for run in planned):
        if as_json:
            _answer(model, planned, evaluated=False, failures=())
            return
        for run in planned:
            print(f"{run.model} on {run.suite}: not due: {run.reason}; --force evaluates it anyway")
        return
    due = ", ".join(run.suite for run in planned if run.due)
    print(f"evaluating {model} on {due}: starting, then loading the model", file=sys.stderr, flush=True)
    from orchestration.foreground import foreground
    from orchestration.instance.names import FOREGROUND_TAG

    with foreground(home) as dagster:
        if not (read := dagster.read_catalogue()).succeeded:
            raise click.ClickException("\n".join(read.reasons))
        asked = {"suites": list(suites) or None, "force": force, "complete": complete}
        config = {**asked, **repetitions.config(half_width, repeat_for_s)}
        outcome = dagster.evaluate(model, config, {FOREGROUND_TAG: "true"})
    if as_json:
        _answer(model, planned, evaluated=outcome.succeeded, failures=outcome.reasons)
    if not outcome.succeeded:
        raise click.ClickException("\n".join(outcome.reasons))
    if not as_json:
        print(f"evaluated {model}; `evalwatt build` publishes the result")


def _answer(model: str, planned: Sequence[PlannedRun], *, evaluated: bool, failures: Sequence[str]) -> None:
    runs = [dataclasses.asdict(run) for run in planned]
    print(json.dumps({"model": model, "evaluated": evaluated, "planned": runs, "failures": failures}, indent=2))
