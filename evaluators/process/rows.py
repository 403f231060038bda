"""A task evaluation as records: one function per raw table that it fills."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from evaluators.energy import Reading, quality
from evaluators.engines import TokenCounts
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.outcomes import Outcome
from evaluators.hashing import digest
from evaluators.records import SCHEMA_VERSION, Sample, TaskEmission, TaskResult

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
            suite=suite,
            chance=task.chance,
            is_chance_stated=task.entry.chance is not None,
            fingerprint=fingerprint,
            comparison_key=digest(task.identity() | {"seed": seed}),
            task_hash=task.task_hash,
            task_version=task.version,
            output_type=str(task.task.OUTPUT_TYPE),
            num_fewshot=task.num_fewshot,
            documents_limit=task.limit,
        )


def samples(run_id: str, task: LoadedTask, repetition: int, outcome: Outcome) -> Iterator[Sample]:
    """One row per document, under the primary metric."""
    higher = next(s.higher_is_better for s in outcome.scores if (s.metric, s.filter) == (task.metric, task.filter))
    for document in outcome.documents:
        yield Sample(
            run_id=run_id,
            task=task.name,
            repetition=repetition,
            schema_version=SCHEMA_VERSION,
            metric=task.metric,
            filter=task.filter,
            correct=is_correct(document.score, higher_is_better=higher) if outcome.binary else None,
            **{field.name: getattr(document, field.name) for field in dataclasses.fields(document)},
        )


def is_correct(score: float | None, *, higher_is_better: bool) -> bool | None:
    """Whether a document's answer is right under a binary metric; a metric that counts errors is 0 for a right answer.
    None without a score."""
    return None if score is None else (score != 0) == higher_is_better


def emission(
    run_id: str,
    task: str,
    phase: str,
    reading: Reading,
    outcome: Outcome | None = None,
    counts: TokenCounts = NOT_COUNTED,
    repetition: int = 1,
) -> TaskEmission:
    """The row of one phase. `outcome` and `counts` are for inference only: the requests, and the tokens they took."""
    return TaskEmission(
        run_id=run_id,
        task=task,
        phase=phase,
        repetition=repetition,
        schema_version=SCHEMA_VERSION,
        started_at=reading.started_at,
        ended_at=reading.ended_at,
        duration_s=reading.duration_s,
        energy_kwh=reading.energy_kwh,
        cpu_energy_kwh=reading.cpu_energy_kwh,
        gpu_energy_kwh=reading.gpu_energy_kwh,
        ram_energy_kwh=reading.ram_energy_kwh,
        cpu_method=reading.cpu_method,
        gpu_method=reading.gpu_method,
        ram_method=reading.ram_method,
        boundary=reading.boundary,
        requests=outcome.requests if outcome else None,
        tokens_prompt=outcome.tokens_prompt if outcome else None,
        tokens_generated=outcome.tokens_generated if outcome else None,
        tokens_unshared=counts.unshared,
        tokens_computed=counts.computed,
        tokens_padding=counts.padding,
        tokens_shared=_shared(counts),
        tokens_distinct=counts.distinct,
        own_cpu_s=reading.own_cpu_s,
        foreign_cpu_s=reading.foreign_cpu_s,
        foreign_programs=reading.foreign_programs,
        gpu_temperature_c=reading.gpu_state.temperature_c,
        gpu_sm_clock_mhz=reading.gpu_state.sm_clock_mhz,
        gpu_power_limit_w=reading.gpu_state.power_limit_w,
        gpu_throttled=reading.gpu_state.throttled,
        quality_flags=",".join(reading.flags) or None,
        quality_note=quality.note(reading),
        is_sum_of_parts=False,
    )


def _shared(counts: TokenCounts) -> int | None:
    """Requested tokens that were served from the cache."""
    if counts.unshared is None or counts.computed is None or counts.padding is None:
        return None
    return counts.unshared - (counts.computed - counts.padding)
