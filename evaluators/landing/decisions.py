"""What a person decides about results that are there: to leave a run out, to take that back, to calibrate a machine.

Belongs here: landing a decision, and which runs are left out. Decisions are landed like results, so a rebuild knows
of them. Does not belong here: what they do to the figures, which is SQL's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluators.landing import bundles
from evaluators.records import (
    COUNTABLE_FLAGS,
    SCHEMA_VERSION,
    Calibration,
    EvaluationRun,
    Exclusion,
    Record,
    TaskEmission,
)

# Starting the process is metered by the wall meter only; where it is much of the run, the factor says nothing.
LEAST_COVERAGE = 0.9
# A factor outside is a slip of the units (Wh for kWh), not a meter.
FACTORS = (0.1, 10.0)


class DecisionRefused(Exception):
    """The decision cannot be taken; the message says why and what can be."""


def exclude(root: Path, run_id: str, reason: str, decided_by: str) -> Exclusion:
    """Leave a run out of every figure. Raises DecisionRefused: unknown run, left out already, no reason."""
    _check_landed(root, run_id)
    if (earlier := excluded_runs(root).get(run_id)) is not None:
        raise DecisionRefused(
            f"{run_id} is excluded since {earlier.decided_at:%Y-%m-%d %H:%M} UTC by {earlier.decided_by}: "
            f"{earlier.reason}; --undo --reason WHY takes that back"
        )
    return _land_exclusion(root, run_id, reason, decided_by, is_excluded=True)


def include_again(root: Path, run_id: str, reason: str, decided_by: str) -> Exclusion:
    """Take an exclusion back. Raises DecisionRefused for an unknown run, one that is not left out, or no reason."""
    _check_landed(root, run_id)
    if run_id not in excluded_runs(root):
        raise DecisionRefused(f"{run_id} is not excluded; there is nothing to take back")
    return _land_exclusion(root, run_id, reason, decided_by, is_excluded=False)


def excluded_runs(root: Path) -> dict[str, Exclusion]:
    """The runs that are left out now, each with the decision that did it."""
    latest: dict[str, Exclusion] = {}
    for bundle in bundles.bundles(root, Exclusion.table):
        try:
            latest |= {row["run_id"]: Exclusion(**row) for row in _rows(bundle, Exclusion)}
        except (KeyError, TypeError, ValueError, OSError, pa.ArrowException):
            continue  # damaged; the loader puts it into quarantine and says so
    return {run_id: decision for run_id, decision in latest.items() if decision.is_excluded}


def calibrate(root: Path, measured_kwh: float, run_id: str | None, calibrated_by: str) -> Calibration:
    """Store the factor between a wall meter and what was metered during a run; None: the newest completed run.

    Raises DecisionRefused where the run's energy is not known as a whole, or the factor cannot be right.
    """
    run_id = run_id or _newest_completed(root)
    _check_landed(root, run_id)
    run = next(_landed(root, run_id, EvaluationRun, bundles.END_BUNDLE), None)
    if run is None or run["status"] != "completed":
        state = "has not ended" if run is None else f"is {run['status']}"
        raise DecisionRefused(f"{run_id} {state}; calibrate with a run that was completed under both meters")
    windows = list(_landed(root, run_id, TaskEmission))
    ways = {(w["boundary"], w["cpu_method"], w["gpu_method"], w["ram_method"]) for w in windows}
    energies = [w["energy_kwh"] for w in windows]
    if len(ways) != 1 or None in energies:
        raise DecisionRefused(f"not every window of {run_id} has an energy; calibrate with a run that has")
    if doubts := {flag for w in windows for flag in (w["quality_flags"] or "").split(",")} - {"", *COUNTABLE_FLAGS}:
        raise DecisionRefused(
            f"windows of {run_id} are flagged {', '.join(sorted(doubts))}; calibrate with a quiet run"
        )
    metered_kwh = sum(energies)
    coverage = min(1.0, sum(w["duration_s"] for w in windows) / run["duration_s"])
    if coverage < LEAST_COVERAGE:
        raise DecisionRefused(
            f"only {coverage:.0%} of {run_id} were metered, the rest was starting up; calibrate with a longer run"
        )
    factor = measured_kwh / metered_kwh
    if not FACTORS[0] <= factor <= FACTORS[1]:
        raise DecisionRefused(
            f"{measured_kwh:g} kWh are {factor:.3g} times the {metered_kwh:.3g} kWh that {run_id} metered: no meter is "
            "that wrong; is the figure in kWh, and of this run alone?"
        )
    ((boundary, cpu_method, gpu_method, ram_method),) = ways
    now = datetime.now(UTC)
    calibration = Calibration(
        calibration_id=bundles.new_run_id(now),
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        machine_id=run["machine_id"],
        meter=run["meter"],
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
        raise DecisionRefused("an empty reason explains nothing to whoever finds the run left out; say why")
    now = datetime.now(UTC)
    decision = Exclusion(bundles.new_run_id(now), SCHEMA_VERSION, run_id, is_excluded, reason, decided_by, now)
    bundles.write_bundle(root, Exclusion.table, decision.exclusion_id, [decision])
    return decision


def _check_landed(root: Path, run_id: str) -> None:
    known = runs(root)
    if run_id not in known:
        newest = "; ".join(_named(root, name) for name in known[:5])
        nothing = f"nothing was evaluated under {root.parent} (--home)"
        raise DecisionRefused(f"no run {run_id!r} is landed; {f'the newest: {newest}' if known else nothing}")


def _named(root: Path, run_id: str) -> str:
    """The run with what it evaluated and when, so that a person knows it again."""
    what = ""
    with suppress(OSError, ValueError):  # damaged; the loader says so
        start = json.loads((root / run_id / bundles.RUN_FILE).read_bytes())
        what = f"{start['model_id']} on {start['suite']}, "
    return f"{run_id} ({what}{bundles.run_time(run_id):%Y-%m-%d %H:%M} UTC)"


def _newest_completed(root: Path) -> str:
    for run_id in runs(root):
        run = next(_landed(root, run_id, EvaluationRun, bundles.END_BUNDLE), None)
        if run is not None and run["status"] == "completed" and run["tasks_evaluated"]:
            return run_id
    raise DecisionRefused("no run was completed here; evaluate a model while the wall meter counts, then calibrate")


def runs(root: Path) -> list[str]:
    """Ids of the runs that are landed, newest first."""
    found = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sorted((name for name in found if len(name) == bundles.RUN_ID_LENGTH), reverse=True)


def _landed(root: Path, run_id: str, record: type[Record], name: str | None = None) -> Iterator[dict[str, Any]]:
    """A run's rows of a table, of all its bundles or of the named one."""
    for bundle in bundles.bundles(root, run_id):
        if record.table in bundle.files and name in (None, bundle.name):
            yield from _rows(bundle, record)


def _rows(bundle: bundles.Bundle, record: type[Record]) -> list[dict[str, Any]]:
    bundles.verify(bundle.files[record.table])
    rows: list[dict[str, Any]] = pq.ParquetFile(bundle.files[record.table]).read().to_pylist()
    return rows
