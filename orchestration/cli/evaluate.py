"""`evalwatt evaluate MODEL`: one partition."""

from __future__ import annotations

import click

from orchestration.cli import options
from orchestration.cli import precision as precision_options


@click.command("evaluate")
@click.argument("model")
@click.option("--suite", "suites", multiple=True, metavar="SUITE", help="Only this suite; may be repeated.")
@click.option("--force", is_flag=True, help="Evaluate again what was evaluated before.")
@precision_options.until_precise
@options.places()
def command(model: str, suites: tuple[str, ...], force: bool, precision: float | None, budget_s: float) -> None:
    """Evaluate what is due of one MODEL of the catalogue. `evalwatt build` publishes the result."""
    from evaluators.catalogue import load
    from evaluators.plan import plan
    from orchestration.home import Home, catalogue_path

    home = Home.from_env()
    planned = plan(load(catalogue_path()), home.path, models=[model], suites=suites or None, force=force)
    if not any(run.due for run in planned):
        for run in planned:
            print(f"{run.model} on {run.suite}: not due: {run.reason}; --force evaluates it all the same")
        return
    from orchestration.foreground import foreground
    from orchestration.tags import FOREGROUND_TAG

    with foreground(home) as dagster:
        if not (read := dagster.read_catalogue()).succeeded:
            raise click.ClickException("\n".join(read.reasons))
        config = {"suites": list(suites) or None, "force": force, **precision_options.config(precision, budget_s)}
        outcome = dagster.evaluate(model, config, {FOREGROUND_TAG: "true"})
    if not outcome.succeeded:
        raise click.ClickException(f"{model}: " + "\n".join(outcome.reasons))
    print(f"{model} is evaluated; `evalwatt build` publishes it")
