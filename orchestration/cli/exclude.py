"""`evalwatt exclude`: exclude a bad run from every figure, or include it again."""

from __future__ import annotations

import dataclasses
import json

import click

from orchestration.cli import complete, options


@click.command("exclude")
@click.argument("named", metavar="RUN", shell_complete=complete.landed_runs)
@click.option("--reason", required=True, help="Why; the marts show the reason next to the run.")
@click.option("--undo", is_flag=True, help="Include the run again; this needs a reason, too.")
@options.by
@options.as_json
@options.places(catalogue=False)
def command(named: str, reason: str, undo: bool, by: str, as_json: bool) -> None:
    """Exclude RUN from every figure. The run stays landed and visible, and its tasks are due again.

    RUN is any prefix of a run id, Evalwatt's or Dagster's. `evalwatt build` applies the decision to the marts.

    \b
    Examples:
      evalwatt exclude 01JQ2Z7K3V8N5W6X9Y0A1B2C3D --reason "another program was running"
      evalwatt exclude 01JQ2Z7K3V8N5W6X9Y0A1B2C3D --undo --reason "it was another night"
    """
    from evaluators.landing import parts
    from evaluators.landing.decisions import exclude, include_again, runs
    from orchestration.cli.run_ids import landed_run
    from orchestration.home import Home

    home = Home.from_env()
    run_id = landed_run(home, named, runs(home.landing))
    decision = (include_again if undo else exclude)(home.landing, run_id, reason, by)
    if as_json:
        print(json.dumps(dataclasses.asdict(decision), indent=2, default=str))
    elif undo:
        print(f"{run_id} counts again; `evalwatt build` updates the marts")
    else:
        print(f"{run_id} is excluded and its tasks are due again; `evalwatt build` updates the marts")
        for other in parts.completed_with(home.landing, run_id):
            print(
                f"Run {other} completed a task of which {run_id} had asked a part; exclude it as well to ask that again"
            )
