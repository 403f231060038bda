"""A gate in the landing: which evaluations answer it, what was asked, and the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evaluators.landing import bundles, withdrawn
from evaluators.landing.decisions import excluded_runs
from evaluators.landing.runs import LandedRun, model_key, runs_by_workload
from evaluators.plan import PlannedRun
from evaluators.records import SCHEMA_VERSION, Gate, GateVerdict
from evaluators.statistics.gates import Outcome
from orchestration.gates import GateUndecided
from orchestration.gates.asked import WHOLE_SUITE, Asked
from orchestration.gates.verdicts import Judged


@dataclass(frozen=True, slots=True)
class Sides:
    """The keys of the models that a gate compares."""

    candidate_key: str
    reference_key: str


def sides(landing: Path, asked: Asked, candidate: PlannedRun, reference: PlannedRun) -> Sides:
    """The models whose answers are landed. For an earlier revision `reference` is the candidate's own plan.

    Raises GateUndecided where a side is not evaluated.
    """
    runs = runs_by_workload(landing)
    run, key = _evaluated(landing, runs.get((asked.candidate, asked.suite), ()), candidate)
    if unknown := [task for task in asked.questions if task not in (WHOLE_SUITE, *(run.tasks or ()))]:
        named = ", ".join(sorted(run.tasks or ()))
        raise GateUndecided(f"{asked.suite} has no task {' or '.join(unknown)}; its tasks: {named}")
    if asked.names_an_earlier_revision:
        return Sides(key, _earlier_revision(landing, runs[asked.candidate, asked.suite], run, key))
    return Sides(key, _evaluated(landing, runs.get((asked.reference, asked.suite), ()), reference)[1])


def land_question(landing: Path, asked: Asked, of: Sides) -> str:
    """Land what is asked, so that the next build compares the two. Returns the gate's id."""
    now = datetime.now(UTC)
    gate_id = bundles.new_run_id(now)
    rows = [
        Gate(
            gate_id=gate_id,
            task=task,
            schema_version=SCHEMA_VERSION,
            suite=asked.suite,
            candidate_model_id=asked.candidate,
            candidate_model_key=of.candidate_key,
            compare_with=asked.compare_with,
            reference_model_id=asked.reference,
            reference_model_key=of.reference_key,
            score_margin_points=asked.score_margin,
            energy_margin=asked.energy_margin,
            passes_inconclusive=asked.passes_inconclusive,
            asked_at=now,
        )
        for task in asked.questions
    ]
    bundles.write_bundle(landing, Gate.table, gate_id, rows)
    return gate_id


def land_verdicts(landing: Path, gate_id: str, outcome: Outcome, judged: Sequence[Judged]) -> None:
    """Land the verdict on each question, with the figures that decided it."""
    now = datetime.now(UTC)
    rows = []
    for each in judged:
        values = dataclasses.asdict(each)
        figures = values.pop("figures")
        figures["score_tested_by"] = figures.pop("score_test")
        rows.append(
            GateVerdict(
                gate_id=gate_id, schema_version=SCHEMA_VERSION, outcome=outcome, decided_at=now, **figures, **values
            )
        )
    bundles.write_bundle(landing, GateVerdict.table, gate_id, rows)


def _evaluated(landing: Path, runs: Sequence[LandedRun], planned: PlannedRun) -> tuple[LandedRun, str]:
    """The newest run that answers the plan, and its model's key."""
    if planned.due:
        raise GateUndecided(f"{planned.model} on {planned.suite} is still to be evaluated: {planned.reason}")
    for run in reversed(runs):
        if run.start.plan_key == planned.plan_key and (key := model_key(landing, run.run_id)) is not None:
            return run, key
    raise GateUndecided(f"{planned.model} was never evaluated on {planned.suite} as it is now: {planned.reason}")


def _earlier_revision(landing: Path, runs: Sequence[LandedRun], newest: LandedRun, newest_key: str) -> str:
    """The key of the newest complete revision before this one that was asked the same."""
    counted = withdrawn.counted(landing, excluded_runs(landing))
    for run in reversed(runs):
        key = model_key(landing, run.run_id)
        if key in (None, newest_key) or run.start.suite_version != newest.start.suite_version:
            continue
        if run.tasks and all(planned["evaluation"] in counted for planned in run.tasks.values()):
            return str(key)
    raise GateUndecided(
        f"no earlier revision of {newest.start.model_id} is evaluated completely on {newest.start.suite} as it is now; "
        "--against base or a model's name compares with another model"
    )
