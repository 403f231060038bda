"""People's decisions about landed results: excluding a run, including it again, calibrating a machine.

Belongs here: landing a decision, and which runs are excluded. Decisions are landed like results, so that a rebuild
applies them. Does not belong here: their effect on figures, which is in SQL.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from evaluators.landing import bundles, parts
from evaluators.records import (
    COUNTABLE_FLAGS,
    SCHEMA_VERSION,
    Calibration,
    EvaluationRun,
    Exclusion,
    PartEmission,
    TaskEmission,
)

# Only the wall meter covers the start of the process: where that is much of the run, the factor is meaningless.
LEAST_COVERAGE = 0.9
# A factor outside this range means wrong units (Wh for kWh), not an inaccurate meter.
FACTORS = (0.1, 10.0)


class DecisionRefused(Exception):
    """The decision is not possible; the message says why, and what is."""


def exclude(root: Path, run_id: str, reason: str, decided_by: str) -> Exclusion:
    """Exclude a run from every figure. Raises DecisionRefused for an unknown or excluded run, or without a reason."""
    _check_landed(root, run_id)
    if (earlier := excluded_runs(root).get(run_id)) is not None:
        raise DecisionRefused(
            f"{run_id} was excluded on {earlier.decided_at:%Y-%m-%d %H:%M} UTC by {earlier.decided_by}: "
            f"{earlier.reason}; --undo --reason WHY includes it again"
        )
    return _land_exclusion(root, run_id, reason, decided_by, is_excluded=True)


def include_again(root: Path, run_id: str, reason: str, decided_by: str) -> Exclusion:
    """Undo an exclusion. Raises DecisionRefused for an unknown run or one not excluded, or without a reason."""
    _check_landed(root, run_id)
    if run_id not in excluded_runs(root):
        raise DecisionRefused(f"{run_id} is not excluded; there is nothing to undo")
    return _land_exclusion(root, run_id, reason, decided_by, is_excluded=False)


def excluded_runs(root: Path) -> dict[str, Exclusion]:
    """The runs that are excluded now, each with its decision."""
    latest: dict[str, Exclusion] = {}
    for bundle in bundles.bundles(root, Exclusion.table):
        try:
            latest |= {row.run_id: row for row in bundles.rows(bundle, Exclusion)}
        except (KeyError, ValueError, OSError, pa.ArrowException):
            continue  # damaged; the loader quarantines and reports it
    return {run_id: decision for run_id, decision in latest.items() if decision.is_excluded}


def calibrate(root: Path, measured_kwh: float, run_id: str | None, calibrated_by: str) -> Calibration:
    """Land the factor between a wall meter and the energy metered during a run; None: the newest completed run.

    Raises DecisionRefused where some of the run's energy is unknown, or the factor is implausible.
    """
    run_id = run_id or _newest_completed(root)
    _check_landed(root, run_id)
    run = next(_landed(root, run_id, EvaluationRun, bundles.END_BUNDLE), None)
    if run is None or run.status != "completed":
        state = "has not ended" if run is None else f"is {run.status}"
        raise DecisionRefused(f"{run_id} {state}; calibrate with a run that completed under both meters")
    windows = parts.metered(_landed(root, run_id, TaskEmission), _landed(root, run_id, PartEmission))
    ways = {(w.boundary, w.cpu_method, w.gpu_method, w.ram_method) for w in windows}
    energies = [w.energy_kwh for w in windows if w.energy_kwh is not None]
    if len(ways) != 1 or len(energies) != len(windows):
        raise DecisionRefused(f"some windows of {run_id} have no energy; calibrate with a run in which all have one")
    if doubts := {flag for w in windows for flag in (w.quality_flags or "").split(",")} - {"", *COUNTABLE_FLAGS}:
        raise DecisionRefused(
            f"windows of {run_id} have the flags {', '.join(sorted(doubts))}; calibrate with a run without doubts"
        )
    metered_kwh = sum(energies)
    coverage = min(1.0, sum(w.duration_s for w in windows) / (run.duration_s or math.inf))
    if coverage < LEAST_COVERAGE:
        raise DecisionRefused(
            f"only {coverage:.0%} of {run_id} was metered, the rest was start-up; calibrate with a longer run"
        )
    factor = measured_kwh / metered_kwh
    if not FACTORS[0] <= factor <= FACTORS[1]:
        raise DecisionRefused(
            f"{measured_kwh:g} kWh is {factor:.3g} times the {metered_kwh:.3g} kWh metered in {run_id}, which no meter "
            "error explains: check that the figure is in kWh and covers this run only"
        )
    ((boundary, cpu_method, gpu_method, ram_method),) = ways
    now = datetime.now(UTC)
    calibration = Calibration(
        calibration_id=bundles.new_run_id(now),
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        machine_id=run.machine_id,
        meter=run.meter,
        boundary=boundary,
        cpu_method=cpu_method,
        gpu_method=gpu_method,
        ram_method=ram_method,
        measured_kwh=measured_kwh,
        metered_kwh=metered_kwh,
        factor=factor,
        coverage=coverage,
        calibrated_by=calibrated_by,
        calibrated_at=now,
    )
    bundles.write_bundle(root, Calibration.table, calibration.calibration_id, [calibration])
    return calibration


def _land_exclusion(root: Path, run_id: str, reason: str, decided_by: str, *, is_excluded: bool) -> Exclusion:
    if not reason.strip():
        raise DecisionRefused("the reason is empty; say why, for people who find the run excluded")
    now = datetime.now(UTC)
    decision = Exclusion(bundles.new_run_id(now), SCHEMA_VERSION, run_id, is_excluded, reason, decided_by, now)
    bundles.write_bundle(root, Exclusion.table, decision.exclusion_id, [decision])
    return decision


def _check_landed(root: Path, run_id: str) -> None:
    known = runs(root)
    if run_id not in known:
        newest = "; ".join(_named(root, name) for name in known[:5])
        nothing = f"nothing has been evaluated under {root.parent} (--home)"
        raise DecisionRefused(f"there is no run {run_id!r}; {f'the newest runs: {newest}' if known else nothing}")


def _named(root: Path, run_id: str) -> str:
    """The run with what it evaluated and when, so that people recognise it."""
    what = ""
    with suppress(OSError, ValueError):  # damaged; the loader reports it
        start = json.loads((root / run_id / bundles.RUN_FILE).read_bytes())
        what = f"{start['model_id']} on {start['suite']}, "
    return f"{run_id} ({what}{bundles.run_time(run_id):%Y-%m-%d %H:%M} UTC)"


def _newest_completed(root: Path) -> str:
    for run_id in runs(root):
        run = next(_landed(root, run_id, EvaluationRun, bundles.END_BUNDLE), None)
        if run is not None and run.status == "completed" and run.tasks_evaluated:
            return run_id
    raise DecisionRefused("there is no completed run; evaluate a model while the wall meter counts, then calibrate")


def runs(root: Path) -> list[str]:
    """The ids of all landed runs, newest first."""
    found = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sorted((name for name in found if len(name) == bundles.RUN_ID_LENGTH), reverse=True)


def _landed(root: Path, run_id: str, record: type[bundles.Row], name: str | None = None) -> Iterator[bundles.Row]:
    """A run's rows of a table, of all its bundles or of the named one."""
    for bundle in bundles.bundles(root, run_id):
        if record.table in bundle.files and name in (None, bundle.name):
            yield from bundles.rows(bundle, record)
