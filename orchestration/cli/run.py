"""`evalwatt run`: a night, now and in the foreground."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli import options, repetitions
from orchestration.cli.refreshed import refresh, why_failed
from orchestration.cli.until import Until

if TYPE_CHECKING:
    from evaluators.plan import PlannedRun
    from orchestration.foreground import Foreground, Outcome
    from orchestration.home import Home
    from orchestration.nights.message import Message


@click.command("run")
@click.option(
    "--until",
    type=Until(),
    metavar="decided",
    help="For all suites, instead of what the catalogue says: ask until it is decided which model is better, or until "
    'each score is known to a width, such as "±2 points".',
)
@repetitions.until_precise
@options.as_json
@options.places()
def command(until: str | None, half_width: float | None, repeat_for_s: float, as_json: bool) -> None:
    """Evaluate what is due, then load, build, check, publish and report, and show the results.

    A model that fails does not stop the others; the exit code is then 1.

    \b
    Examples:
      evalwatt run
      evalwatt run --until decided
      evalwatt run --until-precise 5% --repeat-for 30m
    """
    from evaluators.catalogue.entries import load
    from evaluators.plan import in_order, plan
    from orchestration.home import Home, catalogue_path

    home = Home.from_env()
    catalogue, started = load(catalogue_path()), datetime.now(UTC)
    if until is not None:
        catalogue = catalogue.asked_until(until)
    planned = plan(catalogue, home.path)
    _announce(planned)
    from orchestration.foreground import foreground
    from orchestration.nights.notification import deliver

    with foreground(home) as dagster:
        if not (read := dagster.read_catalogue()).succeeded:
            raise click.ClickException("\n".join(read.reasons))
        models, seed = in_order({run.model for run in planned if run.due}, catalogue, started)
        config = {"order_seed": seed, **repetitions.config(half_width, repeat_for_s)}
        if until is not None:
            config["until"] = until
        night = started.isoformat(timespec="seconds")
        evaluated = _evaluate(dagster, models, config, night)
        refreshed = refresh(dagster)
        not_begun = [model for model in models if model not in evaluated]
        message = dagster.message(home, catalogue.settings, night, refreshed, not_begun)
    failures = [f"{model}: {why_failed(outcome)}" for model, outcome in evaluated.items() if not outcome.succeeded]
    if not refreshed.succeeded:
        failures.append(f"{refreshed.what_failed}: {why_failed(refreshed)}")
    failures += [f"{model}: canceled before it started" for model in not_begun]
    try:
        deliver(home, message, catalogue.settings.notification, _say)
    finally:
        _show(home, as_json, evaluated, refreshed, failures, message)
    if failures:
        sys.exit(1)


def _announce(planned: list[PlannedRun]) -> None:
    from orchestration.cli.show import console, plan_table

    terminal = console(stderr=True)
    terminal.print(plan_table(planned))
    if not any(run.due for run in planned):
        terminal.print("nothing is due, so nothing is evaluated; the published results follow")


def _evaluate(dagster: Foreground, models: list[str], config: dict[str, Any], night: str) -> dict[str, Outcome]:
    """The models whose evaluation started; `evalwatt cancel` skips the rest."""
    from orchestration.instance.names import FOREGROUND_TAG, NIGHT_TAG

    tags = {NIGHT_TAG: night, FOREGROUND_TAG: "true"}
    outcomes: dict[str, Outcome] = {}
    for number, model in enumerate(models, start=1):
        if outcomes and dagster.is_canceled(night):
            break
        _say(f"evaluating {model} ({number} of {len(models)})")
        outcomes[model] = dagster.evaluate(model, {**config, "order_position": number}, tags)
        if not outcomes[model].succeeded:
            _say(f"{model} failed: {why_failed(outcomes[model])}")
    return outcomes


def _show(
    home: Home,
    as_json: bool,
    evaluated: dict[str, Outcome],
    refreshed: Outcome,
    failures: list[str],
    message: Message,
) -> None:
    if as_json:
        answer = {
            "evaluated": {model: outcome.succeeded for model, outcome in evaluated.items()},
            "published": str((home.marts).resolve()) if refreshed.published else None,
            "report": str(home.report_page) if refreshed.succeeded else None,
            "failures": failures,
            "message": message.text(),
        }
        print(json.dumps(answer, indent=2))
        return
    if refreshed.published:
        from orchestration.cli.results import show_published
        from orchestration.cli.show import console

        show_published(home, console(), home.report_page if refreshed.succeeded else None)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
