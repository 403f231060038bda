"""The origin of a run's figures: the model's identity and fingerprints, and the run's first record."""

from __future__ import annotations

import copy
import dataclasses
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evaluators import environment, machine
from evaluators.energy import Meter
from evaluators.energy.grid import grid
from evaluators.engines import Engine
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.hashing import digest
from evaluators.landing import bundles
from evaluators.landing.runs import model_key
from evaluators.models.checks import unusable_template
from evaluators.models.files import last_change
from evaluators.models.sources import LocalModel, ModelUnavailable
from evaluators.records import SCHEMA_VERSION, EvaluationRun, Model
from evaluators.redaction import redact
from evaluators.spec import RunSpec, suite_version
from evaluators.wording import sentence


class ModelFacts:
    """What identifies the model, known before its weights are loaded."""

    def __init__(self, spec: RunSpec, local: LocalModel) -> None:
        from transformers import AutoTokenizer

        self.spec, self.local = spec, local
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(local.path, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelUnavailable(
                f"{spec.model.name}: no usable tokenizer in {local.source_ref} ({sentence(error)}); "
                "add the tokenizer files to the model's folder"
            ) from error
        template = self.tokenizer.chat_template
        self.template_hash = digest(template) if template is not None else None
        self.tokenizer_hash = digest([sorted(self.tokenizer.get_vocab().items()), self.tokenizer.special_tokens_map])
        self.chat_template_applied = spec.model.chat_template or bool(spec.suite.apply_chat_template)

    def refused(self, tasks: Iterable[LoadedTask]) -> dict[str, str]:
        """The tasks that apply a chat template although the model has none that works, with the reason."""
        asked = {task.name: task.num_fewshot > 0 for task in tasks if task.apply_chat_template}
        reasons = {shots: unusable_template(self.tokenizer, with_shots=shots) for shots in set(asked.values())}
        remedy = "correct chat_template.jinja in its folder, or set chat_template or apply_chat_template to false"
        return {task: f"{reason}; {remedy}" for task, shots in asked.items() if (reason := reasons[shots]) is not None}

    @property
    def identity(self) -> dict[str, Any]:
        """The model's part of a fingerprint. `beside` enters only where no revision covers it."""
        entry, local = self.spec.model, self.local
        identity = {
            "revision": local.revision,
            "adapter": local.adapter_revision,
            "quantization": entry.quantization,
            "dtype": entry.dtype,
            "engine": entry.engine,
        }
        return identity if local.beside is None else identity | {"beside": local.beside}

    @property
    def key(self) -> str:
        """The model's key in every table."""
        entry, local = self.spec.model, self.local
        template = self.chat_template_applied and self.template_hash
        parts = [local.revision, local.adapter_revision, entry.quantization, entry.dtype, template]
        return digest(parts if local.beside is None else [*parts, local.beside])[:16]

    def formerly(self) -> ModelFacts:
        """The facts as version 0.1.0 identified the model: weights and configuration only."""
        former = copy.copy(self)
        former.local = dataclasses.replace(self.local, beside=None, loose=())
        return former

    def fingerprint(self, task: LoadedTask) -> str:
        """sha-256 over everything that can change the task's scores; it decides what is already done."""
        template = self.template_hash if task.apply_chat_template else None
        seed = self.spec.settings.seed
        return digest({"model": self.identity, "template": template, "task": task.identity(), "seed": seed})

    def order_key(self, task: LoadedTask) -> str:
        """What the order follows in which the model is asked a task's documents: all of the fingerprint that is the
        model's, so that the same fingerprint has the same order, and no seed that one could change."""
        return digest([self.identity, self.template_hash if task.apply_chat_template else None])

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


def as_landed(model: ModelFacts, landed: dict[str, str]) -> tuple[ModelFacts, dict[str, str], str | None]:
    """The model under the identity that it was landed with, the evaluations among `landed` that may be its own, and
    why others are not.

    `landed` maps bundles to runs. Version 0.1.0 ignored the files beside the weights. Its results are accepted where
    the source pins these files, and else where the landed hashes agree and no such file is newer than the run. Then
    fingerprints and key stay as they are, also for further tasks, so that no table has the model twice.
    """
    if model.local.beside is None:
        return model, landed, None
    former, folder = model.formerly(), model.spec.landing
    runs = sorted(set(landed.values()), reverse=True)
    newest = next((run for run in runs if model_key(folder, run) in (former.key, model.key)), None)
    if newest is None or model_key(folder, newest) == model.key:
        return model, landed, None
    change = last_change(model.local.loose)
    if change is None:
        return former, landed, None
    if change.at > bundles.run_time(newest):
        return model, landed, f"{change}, after the run of {bundles.run_time(newest):%Y-%m-%d %H:%M} UTC"
    if not _has_hashes(model, folder / newest):
        return model, landed, f"run {newest} had a different tokenizer or chat template"
    older = {run for run in runs if bundles.run_time(run) < change.at}
    theirs = any(model_key(folder, run) == former.key for run in older)
    return former, {bundle: run for bundle, run in landed.items() if run not in older}, str(change) if theirs else None


def _has_hashes(model: ModelFacts, run: Path) -> bool:
    """Whether the run landed the hashes of this tokenizer and chat template."""
    expected = {"tokenizer_hash": model.tokenizer_hash, "chat_template_hash": model.template_hash}
    try:
        (file,) = (run / bundles.SETUP_BUNDLE).glob(f"{Model.table}.*")
        (landed,) = pq.read_table(file, columns=list(expected)).to_pylist()
    except (OSError, ValueError):  # damaged or quarantined, so it proves nothing
        return False
    return bool(landed == expected)


def start_record(spec: RunSpec, meter: Meter) -> EvaluationRun:
    """The run's record at its start, which also holds if the process ends without writing another."""
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
        thread_policy=environment.thread_policy(),
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
