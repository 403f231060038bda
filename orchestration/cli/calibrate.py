"""`evalwatt calibrate`: a wall meter against what was metered, once per machine."""

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
    help="What the wall meter counted from the run's beginning to its end.",
)
@click.option(
    "--run",
    "run_id",
    metavar="RUN_ID",
    shell_complete=complete.landed_runs,
    help="The run that it counted; else the newest completed one.",
)
@options.by
@options.as_json
@options.places(catalogue=False)
def command(measured_kwh: float, run_id: str | None, by: str, as_json: bool) -> None:
    """Store the machine's calibration factor: kWh at the wall over kWh metered in the same run.

    The marts then give calibrated figures beside the raw ones of this machine; without a factor they are good for
    ranking only.

    \b
    Example:
      evalwatt calibrate --measured-kwh 0.0123
    """
    from evaluators.landing.decisions import calibrate
    from orchestration.home import Home

    stored = calibrate(Home.from_env().landing, measured_kwh, run_id, by)
    if as_json:
        print(json.dumps(dataclasses.asdict(stored), indent=2, default=str))
    else:
        print(
            f"{stored.machine_id}: factor {stored.factor:.3f} ({measured_kwh:g} kWh at the wall, "
            f"{stored.metered_kwh:.4g} kWh metered in {stored.run_id}); `evalwatt build` brings it into the marts"
        )
