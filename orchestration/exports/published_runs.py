"""The data of exports: published, valid task evaluations, and their landed details.

The published marts decide which evaluations count, and supply their figures. What the formats need beyond that
(operating system, packages, energy per component, metrics besides the primary one) is read from the landing,
whose files are checked against their hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from evaluators.landing import bundles, parts
from evaluators.records import EvaluationRun, Model, PartEmission, TaskEmission, TaskResult, Window

if TYPE_CHECKING:
    import duckdb

_EVALUATIONS = """
    select
        run_id, task, repetition, model_id, is_valid, invalid_reason, metric, filter, score_low, score_high, is_binary,
        case when energy_reason is null then energy_kwh end as energy_kwh,
        case when energy_reason is null then emissions_kg end as emissions_kg,
        energy_reason, energy_method, boundary, calibration_factor, comparability_key
    from marts.fct_task_evaluations
    where coalesce(model_id = $model, $model is null) and coalesce(run_id = $run, $run is null)
    order by run_id, task, repetition
"""
_RUN = "select energy_kwh, emissions_kg, energy_reason from marts.fct_evaluation_runs where run_id = $run"
# lm-eval's hash of a task's samples. It counts a document once per filter, so tasks with several filters have none.
_TASK_HASHES = """
    select task, sha256(string_agg(document_hash || prompt_hash || target_hash, '' order by document_id))
    from marts.fct_samples
    where run_id = $run and repetition = $repetition
    group by task
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file to write: its path inside the folder, and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Left:
    """What is left out, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One task evaluation as published. `energy_kwh` is None if it does not count, because of `energy_reason`."""

    run_id: str
    task: str
    repetition: int
    model_id: str | None
    is_valid: bool
    invalid_reason: str | None
    metric: str
    filter: str
    score_low: float | None
    score_high: float | None
    is_binary: bool
    energy_kwh: float | None
    emissions_kg: float | None  # CO2e, with the run's PUE and grid
    energy_reason: str | None
    energy_method: str
    boundary: str
    calibration_factor: float | None
    comparability_key: str | None


@dataclass(frozen=True, slots=True)
class TaskEvaluation:
    """An evaluation with its landed details: every metric, and its inference window."""

    published: Evaluation
    results: tuple[TaskResult, ...]
    inference: TaskEmission
    samples_hash: str | None  # lm-eval's hash over the task's samples

    @property
    def primary(self) -> TaskResult:
        return next(result for result in self.results if result.is_primary)

    @property
    def name(self) -> str:
        """The evaluation's name within its run, for messages."""
        repetition = "" if self.published.repetition == 1 else f" (repetition {self.published.repetition})"
        return f"{self.published.task}{repetition}"


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its valid evaluations and all its windows (phases of the run, of its tasks and of their parts).

    Energy and emissions (CO2e) are sums over all windows, None if one of them is not known.
    """

    run: EvaluationRun
    model: Model
    evaluations: tuple[TaskEvaluation, ...]
    windows: tuple[Window, ...]
    energy_kwh: float | None
    emissions_kg: float | None
    energy_reason: str | None

    def energies_left(self) -> Iterator[Left]:
        """The evaluations whose energy does not count, by reason, for formats that can leave it empty."""
        doubtful: dict[str, list[str]] = {}
        for evaluation in self.evaluations:
            if evaluation.published.energy_kwh is None:
                doubtful.setdefault(evaluation.published.energy_reason or "not known", []).append(evaluation.name)
        for reason, names in doubtful.items():
            yield Left(f"the energy of {', '.join(names)} of run {self.run.run_id}", reason)


def models(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the evaluated models."""
    query = "select distinct model_id from marts.fct_task_evaluations where model_id is not null order by all"
    return [name for (name,) in connection.execute(query).fetchall()]


def run_ids(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The published runs, newest first."""
    query = "select distinct run_id from marts.fct_task_evaluations order by all desc"
    return [run_id for (run_id,) in connection.execute(query).fetchall()]


def read(
    connection: duckdb.DuckDBPyConnection, root: Path, model: str | None = None, run_id: str | None = None
) -> Iterator[Run | Left]:
    """The published runs (all, a model's, or one), oldest first, with their landed details under `root`.

    Raises ValueError if a landed file is damaged.
    """
    rows = connection.execute(_EVALUATIONS, {"model": model, "run": run_id}).fetchall()
    for run, group in groupby((Evaluation(*row) for row in rows), key=lambda evaluation: evaluation.run_id):
        evaluations = list(group)
        valid = [evaluation for evaluation in evaluations if evaluation.is_valid]
        if not valid:
            yield Left(f"run {run}", evaluations[0].invalid_reason or "not valid")
            continue
        for part in evaluations:
            if not part.is_valid:  # of a run that also has complete evaluations
                yield Left(f"{part.task} of run {run}", part.invalid_reason or "not valid")
        landed = {record: list(_landed(root, run, record)) for record in (EvaluationRun, Model)}
        if not all(landed.values()):
            yield Left(f"run {run}", f"it is published, but not landed under {root}")
            continue
        yield _whole(connection, root, landed[EvaluationRun][0], landed[Model][0], valid)  # type: ignore[arg-type]


def _whole(
    connection: duckdb.DuckDBPyConnection, root: Path, run: EvaluationRun, model: Model, valid: Sequence[Evaluation]
) -> Run:
    results, emissions = list(_landed(root, run.run_id, TaskResult)), list(_landed(root, run.run_id, TaskEmission))
    windows = parts.metered(emissions, _landed(root, run.run_id, PartEmission))
    hashes: dict[tuple[str, int], str] = {}
    for repetition in {evaluation.repetition for evaluation in valid}:
        found = connection.execute(_TASK_HASHES, {"run": run.run_id, "repetition": repetition}).fetchall()
        hashes |= {(task, repetition): text for task, text in found}

    def of(evaluation: Evaluation) -> TaskEvaluation:
        key = (evaluation.task, evaluation.repetition)
        own = tuple(result for result in results if (result.task, result.repetition) == key)
        one_filter = len({result.filter for result in own}) == 1
        (inference,) = (w for w in emissions if (w.task, w.repetition, w.phase) == (*key, "inference"))
        return TaskEvaluation(evaluation, own, inference, hashes.get(key) if one_filter else None)

    (figures,) = connection.execute(_RUN, {"run": run.run_id}).fetchall()
    return Run(run, model, tuple(map(of, valid)), tuple(windows), *figures)


def _landed(root: Path, run_id: str, record: type[bundles.Row]) -> Iterator[bundles.Row]:
    """A run's rows of a table."""
    for bundle in bundles.bundles(root, run_id):
        if record.table in bundle.files:
            yield from bundles.rows(bundle, record)
