"""Evaluations that were asked in part, made from complete ones: the same answers, landed chunk by chunk."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluators.harness.order import asking_order
from evaluators.landing import bundles
from evaluators.landing.runs import model_key
from evaluators.records import (
    SCHEMA_VERSION,
    Part,
    PartEmission,
    PartSample,
    Record,
    Sample,
    Stop,
    TaskEmission,
    TaskResult,
    columns,
)


@dataclasses.dataclass(frozen=True)
class InParts:
    """A task evaluation of which a part is asked."""

    run_id: str
    task: str
    evaluation: str
    fingerprint: str
    asked: int
    total: int
    whole: tuple[Record, ...]  # results and samples of the complete evaluation
    sums: tuple[TaskEmission, ...]  # of the parts asked so far


def into_parts(
    landing: Path,
    run_id: str,
    task: str,
    ends: Sequence[int],
    repetition: int = 1,
    start: int = 0,
    loads: Sequence[float] = (),
) -> InParts:
    """Make a run's complete evaluation of a task one that was asked in chunks, which end before these places.

    `start`: the first place, where an earlier run asked those before; `loads`: what each chunk's documents use,
    relative to the task's (default: 1).
    """
    for bundle in list(bundles.bundles(landing, run_id)):
        if bundles.is_task_bundle(bundle.name):
            results = bundles.rows(bundle, TaskResult)
            if (results[0].task, results[0].repetition) == (task, repetition):
                rows = bundles.rows(bundle, Sample), bundles.rows(bundle, TaskEmission)
                shutil.rmtree(bundle.path)
                primary = next(result for result in results if result.is_primary)
                return _land(landing, bundle.name, results, primary, *rows, (start, *ends), loads or [1.0] * len(ends))
    raise AssertionError(f"{run_id} has no evaluation of {task}")


def _land(
    landing: Path,
    evaluation: str,
    results: Sequence[TaskResult],
    result: TaskResult,
    samples: Sequence[Sample],
    emissions: Sequence[TaskEmission],
    ends: Sequence[int],
    loads: Sequence[float],
) -> InParts:
    key = model_key(landing, result.run_id) or ""
    order = asking_order(key, result.task_hash, [sample.document_hash for sample in samples])
    shared = {column.name: getattr(result, column.name) for column in columns(Part) if hasattr(result, column.name)}
    used = ends[0] / len(samples)
    for first, end, load in zip(ends[:-1], ends[1:], loads, strict=True):
        places = {"first_place": first, "last_place": end - 1}
        share = load * (end - first) / len(samples)
        used += share
        rows: list[Record] = [Part(**shared | places | {"documents_total": len(samples)})]
        rows += [
            PartSample(
                **_values(samples[order[place]]),
                place=place,
                metrics_json=json.dumps({result.filter: {result.metric: samples[order[place]].score}}),
            )
            for place in range(first, end)
        ]
        asked = (end - first) / len(samples)
        rows += [PartEmission(**_share(emission, share, asked), **places) for emission in emissions]
        bundles.write_bundle(landing, result.run_id, bundles.part_bundle(evaluation, first, end - 1), rows)
    whole, asked = (*results, *samples), ends[-1] / len(samples)
    sums = tuple(TaskEmission(**_share(emission, used, asked), is_sum_of_parts=True) for emission in emissions)
    return InParts(result.run_id, result.task, evaluation, result.fingerprint, ends[-1], len(samples), whole, sums)


def complete(landing: Path, part: InParts) -> None:
    """Land the complete evaluation in the run that asked its last part."""
    bundles.write_bundle(landing, part.run_id, part.evaluation, [*part.whole, *part.sums])


def land_stop(
    landing: Path,
    run_id: str,
    asked: Sequence[InParts],
    weights: Mapping[str, float] | None = None,
    reference: Mapping[str, tuple[str, str]] | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
    **changes: Any,
) -> Stop:
    """Land the stop of a task or, with `weights`, of a suite.

    `reference`: evaluations and their runs by task; `tasks`: what the rows of a suite's tasks say instead of its own.
    """
    stop = Stop(
        run_id=run_id,
        task="" if weights is not None else asked[0].task,
        repetition=1,
        schema_version=SCHEMA_VERSION,
        suite="tiny",
        tasks_json=json.dumps(
            {
                part.task: {"fingerprint": part.fingerprint, "weight": (weights or {}).get(part.task, 1.0)}
                for part in asked
            }
        ),
        until="decided",
        width_points=None,
        margin_points=2.0,
        compare_with="base",
        reference_model_id="base",
        reference_json=json.dumps(
            {task: {"evaluation": evaluation, "run_id": run} for task, (evaluation, run) in (reference or {}).items()}
        ),
        stop_reason="claim",
        documents_asked=sum(part.asked for part in asked),
        documents_total=sum(part.total for part in asked),
        verdict="worse",
        claim_chance=None,
        score_test="repeated_mcnemar" if weights is None else "repeated_normal",
        p_value=0.01,
        low=-12.0,
        high=-3.0,
        full_low=-10.0 if weights is None else None,
        full_high=-4.0 if weights is None else None,
        looks_json=json.dumps([{part.task: {"asked": part.asked} for part in asked}]),
    )
    stop = dataclasses.replace(stop, **changes)
    question = asked[0].evaluation
    if weights is not None:
        question = bundles.suite_question({part.evaluation: weights[part.task] for part in asked})
    rows: list[Record] = [stop]
    if weights is not None:
        rows += [_of_task(stop, part, (tasks or {}).get(part.task, {})) for part in asked]
    if stop.stop_reason != "all":
        rows += [total for part in asked if part.asked < part.total for total in part.sums]
    bundles.write_bundle(landing, run_id, bundles.stop_bundle(question), rows)
    return stop


def _of_task(stop: Stop, part: InParts, changes: Mapping[str, Any]) -> Stop:
    """A task's row beside its suite's."""
    own: dict[str, Any] = {"verdict": None, "score_test": "repeated_mcnemar", "p_value": 0.3}
    counts = {"documents_asked": part.asked, "documents_total": part.total}
    return dataclasses.replace(stop, task=part.task, **own | counts | dict(changes))


def _values(record: Record) -> dict[str, Any]:
    return {column.name: getattr(record, column.name) for column in columns(type(record))}


def _share(emission: TaskEmission, used: float, asked: float) -> dict[str, Any]:
    """The values of a window that used a share of the task's energy and time, for a share of its documents."""
    values = _values(emission)
    del values["is_sum_of_parts"]
    for name, value in values.items():
        if value is not None and (name == "duration_s" or name.endswith("energy_kwh")):
            values[name] = value * used
        elif value is not None and (name == "requests" or name.startswith("tokens_")):
            values[name] = round(value * asked)
    return values
