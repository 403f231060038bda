"""codecarbon's emissions.csv, one row per run: all its phases together, as a tracker around the run would see them.

The columns are those of the installed codecarbon, which can append to such a file and read it. A sum is empty if one of
its windows is not known; the marts have no sums per component, so they are calculated here. The file has no column for
a reason or for how an energy was obtained: the methods follow the suite in `experiment_id`, a free text.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from codecarbon.output_methods.emissions_data import EmissionsData

from evaluators.energy.grid import country_name
from evaluators.records import COUNTABLE_FLAGS, Window
from orchestration.exports.published_runs import File, Left, Run


def files(runs: Sequence[Run], now: datetime) -> Iterator[File | Left]:
    """The file, and the runs whose energy is empty in it."""
    if not runs:
        return
    for run in runs:
        if run.energy_kwh is None:
            yield Left(f"the energy of run {run.run.run_id}", run.energy_reason or "not known")
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(EmissionsData)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(EmissionsData(**_row(run)).values for run in runs)
    yield File("emissions.csv", text.getvalue())


def _row(run: Run) -> dict[str, Any]:
    facts, on_gpu = run.run, run.run.device.startswith("cuda")
    duration_s = sum(window.duration_s for window in run.windows)
    emissions = run.emissions_kg
    parts = {part: _sum(run.windows, f"{part}_energy_kwh") for part in ("cpu", "gpu", "ram")}
    power = {part: kwh and kwh * 3.6e6 / duration_s for part, kwh in parts.items()}
    methods = ", ".join(sorted({evaluation.published.energy_method for evaluation in run.evaluations}))
    ended = facts.ended_at or max(window.ended_at for window in run.windows)
    return {
        "timestamp": ended.strftime("%Y-%m-%dT%H:%M:%S"),
        "project_name": run.model.model_id,
        "run_id": facts.run_id,
        "experiment_id": f"{facts.suite} ({methods})",
        "duration": duration_s,
        "emissions": emissions,
        "emissions_rate": emissions and emissions / duration_s,
        "cpu_power": power["cpu"],
        "gpu_power": power["gpu"],
        "ram_power": power["ram"],
        "cpu_energy": parts["cpu"],
        "gpu_energy": parts["gpu"],
        "ram_energy": parts["ram"],
        "energy_consumed": run.energy_kwh,
        "water_consumed": None,
        "country_name": country_name(facts.country_iso_code),
        "country_iso_code": facts.country_iso_code,
        "region": facts.grid_region,
        "cloud_provider": None,
        "cloud_region": None,
        "os": facts.operating_system,
        "python_version": json.loads(facts.package_versions_json).get("python"),
        "codecarbon_version": facts.meter_version if facts.meter == "codecarbon" else None,
        "cpu_count": facts.cpu_count,
        "cpu_model": facts.cpu_model,
        "gpu_count": 1 if on_gpu else None,
        "gpu_model": facts.device_name if on_gpu else None,
        "longitude": None,
        "latitude": None,
        "ram_total_size": facts.ram_total_gb,
        "tracking_mode": "machine",
        # codecarbon's defaults would claim 0 for what was not observed, and that this is not a cloud.
        "cpu_utilization_percent": None,
        "gpu_utilization_percent": None,
        "ram_utilization_percent": None,
        "ram_used_gb": None,
        "on_cloud": None,
        "pue": facts.pue,
        "wue": None,
    }


def _sum(windows: Sequence[Window], column: str) -> float | None:
    """kWh of all windows together; None if one is not known or in doubt."""
    if any(window.quality_flags not in COUNTABLE_FLAGS for window in windows):
        return None
    energies = [getattr(window, column) for window in windows]
    return None if None in energies else sum(energies)
