"""Small landings for tests: runs of invented models with chosen scores, tokens and energies.

Everything is written through the records and `evaluators.landing.bundles`, as a real evaluator does it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evaluators.engines import TokenCounts
from evaluators.landing.bundles import END_BUNDLE, new_run_id, task_bundle, write_bundle
from evaluators.records import SCHEMA_VERSION, EvaluationRun, Model, Record, Sample, TaskEmission, TaskResult

KWH_PER_JOULE = 1 / 3.6e6
NOT_COUNTED = TokenCounts()
START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class TaskOutcome:
    """One task evaluation: which documents were answered correctly, and what that took."""

    task: str
    correct: Sequence[bool]
    energy_j: float | None
    tokens_out: Sequence[int] = ()  # per document; none for a multiple-choice task
    duration_s: float = 100.0
    chance: float = 0.0
    weight: float = 1.0
    repetition: int = 1
    flags: str | None = None
    binary: bool = True
    tokens_in: int = 10  # per document
    counts: TokenCounts = NOT_COUNTED  # what the engine forwarded
    tokens_shared: int | None = None
    metric: str = "acc"
    higher_is_better: bool = True
    scores: Sequence[float] | None = None  # of the documents; default: 1 where the answer is correct
    scale: float | None = None  # as the suite states it
    gpu_j: float | None = None  # of energy_j, what its counter saw; None: no GPU
    scoring_j: float | None = 50.0
    scoring_s: float = 2.0
    scoring_flags: str | None = None

    @property
    def documents(self) -> Sequence[float]:
        return self.scores if self.scores is not None else [float(correct) for correct in self.correct]

    @property
    def value(self) -> float:
        return sum(self.documents) / len(self.documents)


@dataclass(frozen=True)
class BuiltRun:
    """What a run was built from, to be changed with dataclasses.replace."""

    landing: Path
    model: str
    outcomes: Sequence[TaskOutcome]
    base: str | None = None
    family: str = "invented"
    machine: str = "m1"
    suite: str = "mini"
    suite_version: str = "v1"
    at: datetime = START
    planned: Sequence[str] | None = None  # default: the outcomes' tasks
    reused: Sequence[str] = ()
    status: str = "completed"
    params_b: float | None = 0.135
    params_stated_b: float | None = None
    revision: str = "r1"
    seed: int = 1
    idle_w: float | None = 10.0
    setup: bool = True
    is_control: bool = False
    duration_s: float = 600.0
    setting: Mapping[str, Any] = field(default_factory=dict)  # other columns of the run's row

    def land(self) -> str:
        """Write the run's bundles; returns its id."""
        run_id = new_run_id(self.at)
        if self.setup:
            write_bundle(self.landing, run_id, "setup", self.setup_rows(run_id))
        for outcome in self.outcomes:
            bundle = task_bundle(self.fingerprint(outcome.task), outcome.repetition)
            write_bundle(self.landing, run_id, bundle, self.task_rows(run_id, outcome))
        write_bundle(self.landing, run_id, END_BUNDLE, [self.end_row(run_id)])
        return run_id

    @property
    def model_key(self) -> str:
        return digest("model", self.model, self.revision)[:16]

    def fingerprint(self, task: str) -> str:
        return digest("fingerprint", self.model_key, task, self.seed)

    def setup_rows(self, run_id: str) -> list[Record]:
        model = Model(
            run_id=run_id,
            schema_version=SCHEMA_VERSION,
            model_id=self.model,
            model_key=self.model_key,
            source="path",
            source_ref=f"models/{self.model}",
            revision=self.revision,
            adapter_revision=None,
            base_model=self.base,
            family=self.family,
            provider="own",
            kind="adapter" if self.base else "pretrained",
            architecture="LlamaForCausalLM",
            params_b=self.params_b,
            params_stated_b=self.params_stated_b,
            active_params_b=None,
            quantization=None,
            dtype="bfloat16",
            chat_template_applied=False,
            chat_template_hash=None,
            tokenizer_hash=digest("tokenizer"),
        )
        idle_j = None if self.idle_w is None else self.idle_w * 10
        return [
            model,
            self.emission(run_id, "", "idle", energy_j=idle_j, duration_s=10),
            self.emission(run_id, "", "load", energy_j=200, duration_s=5),
            self.emission(run_id, "", "warmup", energy_j=100, duration_s=2),
        ]

    def task_rows(self, run_id: str, outcome: TaskOutcome) -> list[Record]:
        documents = len(outcome.correct)
        tokens_out = outcome.tokens_out or [0] * documents
        common: dict[str, Any] = {"run_id": run_id, "task": outcome.task, "repetition": outcome.repetition}
        result = TaskResult(
            **common,
            metric=outcome.metric,
            filter="none",
            schema_version=SCHEMA_VERSION,
            value=outcome.value,
            stderr=None,
            higher_is_better=outcome.higher_is_better,
            is_primary=True,
            is_binary=outcome.binary,
            n_documents=documents,
            suite=self.suite,
            chance=outcome.chance,
            is_chance_stated=True,
            fingerprint=self.fingerprint(outcome.task),
            comparison_key=digest("comparison", outcome.task, documents),
            task_hash=digest("task", outcome.task),
            task_version="1",
            output_type="generate_until" if outcome.tokens_out else "multiple_choice",
            num_fewshot=0,
            documents_limit=None,
        )
        other = dataclasses.replace(result, metric="acc_norm", is_primary=False, is_binary=False, value=0.0)
        samples = [
            Sample(
                **common,
                document_id=number,
                schema_version=SCHEMA_VERSION,
                document_hash=digest("document", outcome.task, number),
                prompt_hash=digest("prompt", outcome.task, number),
                target_hash=digest("target", outcome.task, number),
                metric=outcome.metric,
                filter="none",
                score=outcome.documents[number],
                correct=correct if outcome.binary else None,
                requests=1,
                tokens_prompt=outcome.tokens_in,
                tokens_generated=tokens_out[number],
                characters_generated=4 * tokens_out[number] if outcome.tokens_out else None,
                target="the expected text",
                answer="the answered text",
            )
            for number, correct in enumerate(outcome.correct)
        ]
        inference = self.emission(
            run_id,
            outcome.task,
            "inference",
            energy_j=outcome.energy_j,
            duration_s=outcome.duration_s,
            repetition=outcome.repetition,
            flags=outcome.flags,
            requests=documents,
            tokens_prompt=documents * outcome.tokens_in,
            tokens_generated=sum(tokens_out),
            counts=outcome.counts,
            tokens_shared=outcome.tokens_shared,
            gpu_j=outcome.gpu_j,
        )
        scoring = self.emission(
            run_id,
            outcome.task,
            "scoring",
            energy_j=outcome.scoring_j,
            duration_s=outcome.scoring_s,
            repetition=outcome.repetition,
            flags=outcome.scoring_flags,
        )
        return [result, other, *samples, inference, scoring]

    def emission(
        self,
        run_id: str,
        task: str,
        phase: str,
        *,
        energy_j: float | None,
        duration_s: float,
        repetition: int = 1,
        flags: str | None = None,
        requests: int | None = None,
        tokens_prompt: int | None = None,
        tokens_generated: int | None = None,
        counts: TokenCounts = NOT_COUNTED,
        tokens_shared: int | None = None,
        gpu_j: float | None = None,
    ) -> TaskEmission:
        energy_kwh = None if energy_j is None else energy_j * KWH_PER_JOULE
        gpu_kwh = None if gpu_j is None else gpu_j * KWH_PER_JOULE
        rest_kwh = None if energy_kwh is None else energy_kwh - (gpu_kwh or 0)
        return TaskEmission(
            run_id=run_id,
            task=task,
            phase=phase,
            repetition=repetition,
            schema_version=SCHEMA_VERSION,
            started_at=self.at,
            ended_at=self.at + timedelta(seconds=duration_s),
            duration_s=duration_s,
            energy_kwh=energy_kwh,
            cpu_energy_kwh=None if rest_kwh is None else 0.9 * rest_kwh,
            gpu_energy_kwh=gpu_kwh,
            ram_energy_kwh=None if rest_kwh is None else 0.1 * rest_kwh,
            cpu_method="modelled",
            gpu_method="absent" if gpu_kwh is None else "measured",
            ram_method="modelled",
            boundary="cpu+ram" if gpu_kwh is None else "gpu+cpu+ram",
            requests=requests,
            tokens_prompt=tokens_prompt,
            tokens_generated=tokens_generated,
            tokens_unshared=counts.unshared,
            tokens_computed=counts.computed,
            tokens_padding=counts.padding,
            tokens_shared=tokens_shared,
            tokens_distinct=counts.distinct,
            own_cpu_s=None,
            foreign_cpu_s=None,
            foreign_programs=None,
            gpu_temperature_c=None,
            gpu_sm_clock_mhz=None,
            gpu_power_limit_w=None,
            gpu_throttled=None,
            quality_flags=flags,
            quality_note=None,
            is_sum_of_parts=False,
        )

    def plan_of(self, task: str) -> dict[str, object]:
        weights = {outcome.task: outcome.weight for outcome in self.outcomes}
        scales = {outcome.task: outcome.scale for outcome in self.outcomes if outcome.scale is not None}
        stated = {"scale": scales[task]} if task in scales else {}
        return {"evaluation": task_bundle(self.fingerprint(task), 1), "weight": weights.get(task, 1.0)} | stated

    def end_row(self, run_id: str) -> EvaluationRun:
        return dataclasses.replace(self._end_row(run_id), **self.setting)

    def _end_row(self, run_id: str) -> EvaluationRun:
        tasks = [outcome.task for outcome in self.outcomes]
        planned = list(dict.fromkeys([*(self.planned or tasks), *self.reused]))
        return EvaluationRun(
            run_id=run_id,
            schema_version=SCHEMA_VERSION,
            model_id=self.model,
            model_key=self.model_key if self.status == "completed" else None,
            suite=self.suite,
            suite_version=self.suite_version,
            plan_key=digest("plan", self.model),
            status=self.status,
            reason=None if self.status == "completed" else "killed",
            started_at=self.at,
            ended_at=self.at + timedelta(minutes=10),
            duration_s=self.duration_s,
            tasks_planned=len(planned),
            tasks_evaluated=len(tasks),
            tasks_reused=len(self.reused),
            tasks_failed=0,
            task_evaluations_json=json.dumps({task: self.plan_of(task) for task in planned}),
            task_failures_json=None,
            machine_id=self.machine,
            host="host",
            operating_system="Linux",
            cpu_model="chip",
            cpu_count=2,
            ram_total_gb=24.0,
            threads=2,
            thread_policy=None,
            device="cpu",
            device_name="chip",
            device_uuid=None,
            driver_version=None,
            engine="transformers",
            engine_reason=None,
            engine_version="5",
            batch_policy="16",
            dtype="bfloat16",
            meter="replay",
            meter_version="1",
            harness_version="0.4.13",
            package_versions_json="{}",
            seed=self.seed,
            is_control=self.is_control,
            order_seed=None,
            order_position=None,
            until_precise=None,
            project_git_sha=None,
            command="python -m evaluators spec.json",
            country_iso_code="USA",
            grid_region=None,
            grid_intensity_g_per_kwh=400.0,
            grid_source="stated",
            pue=1.5,
        )
