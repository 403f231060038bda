"""A task evaluation as records: one function per raw table that it fills."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from evaluators.energy import Reading, quality
from evaluators.energy.windows import GpuState
from evaluators.engines import TokenCounts
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.outcomes import Document, Outcome
from evaluators.hashing import digest
from evaluators.records import SCHEMA_VERSION, Part, PartEmission, PartSample, Sample, TaskEmission, TaskResult

NOT_COUNTED = TokenCounts()


def results(
    run_id: str, suite: str, task: LoadedTask, repetition: int, outcome: Outcome, fingerprint: str, seed: int
) -> Iterator[TaskResult]:
    """One row per metric and filter."""
    for score in outcome.scores:
        primary = (score.metric, score.filter) == (task.metric, task.filter)
        yield TaskResult(
            run_id=run_id,
            task=task.name,
            repetition=repetition,
            metric=score.metric,
            filter=score.filter,
            schema_version=SCHEMA_VERSION,
            value=score.value,
            stderr=score.stderr,
            higher_is_better=score.higher_is_better,
            is_primary=primary,
            is_binary=primary and outcome.binary,
            n_documents=len(outcome.documents),
            documents_limit=task.limit,
            **_question(suite, task, fingerprint, seed),
        )


def samples(run_id: str, task: LoadedTask, repetition: int, outcome: Outcome) -> Iterator[Sample]:
    """One row per document, under the primary metric."""
    higher_is_better = task.higher_is_better if outcome.binary else None
    for document in outcome.documents:
        yield Sample(**_sample(run_id, task, repetition, document, higher_is_better))


def is_correct(score: float | None, *, higher_is_better: bool) -> bool | None:
    """Whether a document's answer is right under a binary metric; a metric that counts errors is 0 for a right answer.
    None without a score."""
    return None if score is None else (score != 0) == higher_is_better


def comparison_key(task: LoadedTask, seed: int) -> str:
    """What is asked, whoever answers."""
    return digest(task.identity() | {"seed": seed})


def _question(suite: str, task: LoadedTask, fingerprint: str, seed: int) -> dict[str, Any]:
    """The columns that say which question was asked, all of it or a part."""
    return {
        "suite": suite,
        "chance": task.chance,
        "is_chance_stated": task.entry.chance is not None,
        "fingerprint": fingerprint,
        "comparison_key": comparison_key(task, seed),
        "task_hash": task.task_hash,
        "task_version": task.version,
        "output_type": str(task.task.OUTPUT_TYPE),
        "num_fewshot": task.num_fewshot,
    }


def emission(
    run_id: str,
    task: str,
    phase: str,
    reading: Reading,
    outcome: Outcome | None = None,
    counts: TokenCounts = NOT_COUNTED,
    repetition: int = 1,
    *,
    is_sum_of_parts: bool = False,
) -> TaskEmission:
    """The row of one phase. `outcome` and `counts` are for inference only: the requests, and the tokens they took."""
    documents = outcome.documents if outcome is not None else None
    values = _window(run_id, task, phase, reading, documents, counts, repetition)
    return TaskEmission(**values, is_sum_of_parts=is_sum_of_parts)


def part(
    run_id: str,
    suite: str,
    task: LoadedTask,
    repetition: int,
    places: range,
    documents_total: int,
    fingerprint: str,
    seed: int,
    *,
    is_binary: bool,
) -> Part:
    """The row of a part."""
    return Part(
        run_id=run_id,
        task=task.name,
        repetition=repetition,
        first_place=places[0],
        last_place=places[-1],
        schema_version=SCHEMA_VERSION,
        documents_total=documents_total,
        metric=task.metric,
        filter=task.filter,
        higher_is_better=task.higher_is_better,
        is_binary=is_binary,
        **_question(suite, task, fingerprint, seed),
    )


def part_sample(
    run_id: str,
    task: LoadedTask,
    repetition: int,
    place: int,
    document: Document,
    metrics_json: str,
    *,
    is_binary: bool,
) -> PartSample:
    """The row of a document of a part."""
    values = _sample(run_id, task, repetition, document, task.higher_is_better if is_binary else None)
    return PartSample(**values, place=place, metrics_json=metrics_json)


def part_emission(
    run_id: str,
    task: str,
    phase: str,
    reading: Reading,
    documents: Sequence[Document] | None,
    counts: TokenCounts,
    repetition: int,
    places: range,
) -> PartEmission:
    """The row of one phase of a part. `documents` and `counts` are for inference only."""
    values = _window(run_id, task, phase, reading, documents, counts, repetition)
    return PartEmission(**values, first_place=places[0], last_place=places[-1])


def reading_of(row: PartEmission) -> Reading:
    """What the meter read for the phase of a part."""
    return Reading(
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_s=row.duration_s,
        cpu_energy_kwh=row.cpu_energy_kwh,
        gpu_energy_kwh=row.gpu_energy_kwh,
        ram_energy_kwh=row.ram_energy_kwh,
        cpu_method=row.cpu_method,
        gpu_method=row.gpu_method,
        ram_method=row.ram_method,
        flags=tuple((row.quality_flags or "").split(",")) if row.quality_flags else (),
        own_cpu_s=row.own_cpu_s,
        foreign_cpu_s=row.foreign_cpu_s,
        foreign_programs=row.foreign_programs,
        gpu_state=GpuState(row.gpu_temperature_c, row.gpu_sm_clock_mhz, row.gpu_power_limit_w, row.gpu_throttled),
    )


def document_of(sample: Sample) -> Document:
    """The document of a landed row."""
    return Document(**{field.name: getattr(sample, field.name) for field in dataclasses.fields(Document)})


def _sample(
    run_id: str, task: LoadedTask, repetition: int, document: Document, higher_is_better: bool | None
) -> dict[str, Any]:
    """The values of a document's row. `higher_is_better`: None where the metric does not say right or wrong."""
    return {
        "run_id": run_id,
        "task": task.name,
        "repetition": repetition,
        "schema_version": SCHEMA_VERSION,
        "metric": task.metric,
        "filter": task.filter,
        "correct": None if higher_is_better is None else is_correct(document.score, higher_is_better=higher_is_better),
        **{field.name: getattr(document, field.name) for field in dataclasses.fields(document)},
    }


def _window(
    run_id: str,
    task: str,
    phase: str,
    reading: Reading,
    documents: Sequence[Document] | None,
    counts: TokenCounts,
    repetition: int,
) -> dict[str, Any]:
    """The values of a phase's row."""
    return {
        "run_id": run_id,
        "task": task,
        "phase": phase,
        "repetition": repetition,
        "schema_version": SCHEMA_VERSION,
        "started_at": reading.started_at,
        "ended_at": reading.ended_at,
        "duration_s": reading.duration_s,
        "energy_kwh": reading.energy_kwh,
        "cpu_energy_kwh": reading.cpu_energy_kwh,
        "gpu_energy_kwh": reading.gpu_energy_kwh,
        "ram_energy_kwh": reading.ram_energy_kwh,
        "cpu_method": reading.cpu_method,
        "gpu_method": reading.gpu_method,
        "ram_method": reading.ram_method,
        "boundary": reading.boundary,
        "requests": None if documents is None else sum(document.requests for document in documents),
        "tokens_prompt": None if documents is None else sum(document.tokens_prompt for document in documents),
        "tokens_generated": None if documents is None else sum(document.tokens_generated for document in documents),
        "tokens_unshared": counts.unshared,
        "tokens_computed": counts.computed,
        "tokens_padding": counts.padding,
        "tokens_shared": _shared(counts),
        "tokens_distinct": counts.distinct,
        "own_cpu_s": reading.own_cpu_s,
        "foreign_cpu_s": reading.foreign_cpu_s,
        "foreign_programs": reading.foreign_programs,
        "gpu_temperature_c": reading.gpu_state.temperature_c,
        "gpu_sm_clock_mhz": reading.gpu_state.sm_clock_mhz,
        "gpu_power_limit_w": reading.gpu_state.power_limit_w,
        "gpu_throttled": reading.gpu_state.throttled,
        "quality_flags": ",".join(reading.flags) or None,
        "quality_note": quality.note(reading),
    }


def _shared(counts: TokenCounts) -> int | None:
    """Requested tokens that were served from the cache."""
    if counts.unshared is None or counts.computed is None or counts.padding is None:
        return None
    return counts.unshared - (counts.computed - counts.padding)
