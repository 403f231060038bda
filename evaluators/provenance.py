"""Where a run's figures come from: the model's identity and fingerprints, and the run's first record."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from evaluators import machine
from evaluators.energy import Meter
from evaluators.energy.grid import grid
from evaluators.engines import Engine
from evaluators.harness import LoadedTask
from evaluators.models import LocalModel, ModelUnavailable
from evaluators.records import SCHEMA_VERSION, EvaluationRun, Model
from evaluators.redaction import redact
from evaluators.spec import RunSpec, digest, suite_version


class ModelFacts:
    """What identifies the model, known before its weights are loaded."""

    def __init__(self, spec: RunSpec, local: LocalModel) -> None:
        from transformers import AutoTokenizer

        self.spec, self.local = spec, local
        try:
            tokenizer = AutoTokenizer.from_pretrained(local.path, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelUnavailable(
                f"{spec.model.name}: no usable tokenizer in {local.source_ref} ({first}); "
                "add the tokenizer's files to the model's folder"
            ) from error
        template = tokenizer.chat_template
        self.template_hash = digest(template) if template is not None else None
        self.tokenizer_hash = digest([sorted(tokenizer.get_vocab().items()), tokenizer.special_tokens_map])
        entry = spec.model
        self.identity = {
            "revision": local.revision,
            "adapter": local.adapter_revision,
            "quantization": entry.quantization,
            "dtype": entry.dtype,
            "engine": entry.engine,
        }
        applied = entry.chat_template or bool(spec.suite.apply_chat_template)
        self.chat_template_applied = applied
        self.key = digest(
            [local.revision, local.adapter_revision, entry.quantization, entry.dtype, applied and self.template_hash]
        )[:16]

    def fingerprint(self, task: LoadedTask) -> str:
        """sha-256 over everything that can change the task's scores: it decides what is already done."""
        template = self.template_hash if task.apply_chat_template else None
        seed = self.spec.settings.seed
        return digest({"model": self.identity, "template": template, "task": task.identity(), "seed": seed})

    def record(self, engine: Engine) -> Model:
        """The model's row, once it is loaded."""
        entry = self.spec.model
        return Model(
            run_id=self.spec.run_id,
            schema_version=SCHEMA_VERSION,
            model_id=entry.name,
            model_key=self.key,
            source=entry.source,
            source_ref=self.local.source_ref,
            revision=self.local.revision,
            adapter_revision=self.local.adapter_revision,
            base_model=entry.base_model,
            family=entry.family,
            provider=entry.provider,
            kind=entry.kind,
            architecture=engine.architecture,
            params_b=engine.params_b,
            params_stated_b=entry.params_b,
            active_params_b=entry.active_params_b,
            quantization=entry.quantization,
            dtype=entry.dtype,
            chat_template_applied=self.chat_template_applied,
            chat_template_hash=self.template_hash,
            tokenizer_hash=self.tokenizer_hash,
        )


def start_record(spec: RunSpec, meter: Meter) -> EvaluationRun:
    """The run as it stands at its start; it would read so if the process ended without a word."""
    here = machine.describe_machine(spec.settings.machine_id)
    device = machine.describe_device(spec.settings.device)
    power = grid(spec.settings.country_iso_code, spec.settings.region, spec.settings.grid_intensity_g_per_kwh)
    packages = machine.package_versions()
    return EvaluationRun(
        run_id=spec.run_id,
        schema_version=SCHEMA_VERSION,
        model_id=spec.model.name,
        model_key=None,
        suite=spec.suite.name,
        suite_version=suite_version(spec.suite),
        plan_key=spec.plan_key,
        status="interrupted",
        reason=None,
        started_at=datetime.now(UTC),
        ended_at=None,
        duration_s=None,
        tasks_planned=None,
        tasks_evaluated=0,
        tasks_reused=None,
        tasks_failed=0,
        task_evaluations_json=None,
        task_failures_json=None,
        **dataclasses.asdict(here),
        **dataclasses.asdict(device),
        threads=spec.settings.threads or machine.usable_threads(),
        engine=spec.model.engine,
        engine_reason=None,
        engine_version="not loaded",
        batch_policy="not loaded",
        dtype=spec.model.dtype,
        meter=meter.name,
        meter_version=meter.version,
        harness_version=packages["lm-eval"],
        package_versions_json=json.dumps(packages, sort_keys=True),
        seed=spec.settings.seed,
        is_control=spec.is_control,
        order_seed=spec.order_seed,
        order_position=spec.order_position,
        until_precise=spec.until_precise,
        project_git_sha=machine.project_git_sha(Path(__file__).parent),
        command=redact(" ".join([Path(sys.argv[0]).name, *sys.argv[1:]])),
        country_iso_code=power.country_iso_code,
        grid_region=power.region,
        grid_intensity_g_per_kwh=power.intensity_g_per_kwh,
        grid_source=power.source,
        pue=spec.settings.pue,
    )
