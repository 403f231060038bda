"""`evalwatt calibrate`: compares a wall meter with the metered energy, once per machine."""

from __future__ import annotations

import dataclasses
import json

import click

from orchestration.cli import complete, options


@click.command("calibrate")
@click.option(
    "--measured-kwh",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="What the wall meter showed for the time from the run's start to its end.",
)
@click.option(
    "--run",
    "named",
    metavar="RUN",
    shell_complete=complete.landed_runs,
    help="The run that it covers: any prefix of its id. Default: the newest completed run.",
)
@options.by
@options.as_json
@options.places(catalogue=False)
def command(measured_kwh: float, named: str | None, by: str, as_json: bool) -> None:
    """Store the machine's calibration factor: kWh at the wall over kWh metered in the same run.

    The marts then show calibrated figures next to this machine's raw ones, which without a factor are good for ranking
    only.

    \b
    Example:
      evalwatt calibrate --measured-kwh 0.0123
    """
    from evaluators.landing.decisions import calibrate, runs
    from orchestration.cli.run_ids import landed_run
    from orchestration.home import Home

    home = Home.from_env()
    run_id = landed_run(home, named, runs(home.landing)) if named is not None else None
    stored = calibrate(home.landing, measured_kwh, run_id, by)
    if as_json:
        print(json.dumps(dataclasses.asdict(stored), indent=2, default=str))
    else:
        print(
            f"{stored.machine_id}: factor {stored.factor:.3f} ({measured_kwh:g} kWh at the wall, "
            f"{stored.metered_kwh:.4g} kWh metered in {stored.run_id}); `evalwatt build` brings it into the marts"
        )
