"""every_eval_ever's aggregate record (schema 0.3.0), one file per run: `RUN_ID.json`.

Each metric of each task evaluation is one result. Energy is in the schema's extension point, `score_details.details`,
whose values are texts; if it is not known, only `energy_reason` is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from evaluators.records import TaskResult
from orchestration.exports.published_runs import File, Left, Run, TaskEvaluation

SCHEMA_VERSION = "0.3.0"
_ORGANISATION = "not stated"  # the schema requires one, and it is not known here


def files(runs: Sequence[Run], now: datetime) -> Iterator[File | Left]:
    """A record per run, retrieved `now`."""
    for run in runs:
        yield from run.energies_left()
        yield File(f"{run.run.run_id}.json", json.dumps(_log(run, now), indent=2, ensure_ascii=False) + "\n")


def _log(run: Run, now: datetime) -> dict[str, Any]:
    facts, retrieved = run.run, str(int(now.timestamp()))
    return {
        "schema_version": SCHEMA_VERSION,
        # The schema suggests the retrieval time as a suffix, which two runs of one export would share.
        "evaluation_id": f"{facts.suite}/{run.model.model_id}/{facts.run_id}",
        "evaluation_timestamp": str(int(facts.started_at.timestamp())),
        "retrieved_timestamp": retrieved,
        "source_metadata": {
            "source_name": "Evalwatt",
            "source_type": "evaluation_run",
            "source_organization_name": _ORGANISATION,
            "evaluator_relationship": "first_party" if run.model.provider == "own" else "third_party",
            "additional_details": _texts(
                run_id=facts.run_id,
                suite=facts.suite,
                suite_version=facts.suite_version,
                run_status=facts.status,
                run_status_reason=facts.reason,
                machine_id=facts.machine_id,
                device=f"{facts.device} ({facts.device_name})",
                meter=f"{facts.meter} {facts.meter_version}",
                grid_intensity_g_per_kwh=facts.grid_intensity_g_per_kwh,
                grid_source=facts.grid_source,
                pue=facts.pue,
            ),
        },
        "eval_library": {"name": "lm_eval", "version": facts.harness_version},
        "model_info": _model(run),
        "evaluation_results": [
            _result(evaluation, result) for evaluation in run.evaluations for result in evaluation.results
        ],
    }


def _model(run: Run) -> dict[str, Any]:
    model, on_hub = run.model, run.model.source == "hub"
    info: dict[str, Any] = {
        "name": model.model_id,
        "id": model.source_ref if on_hub else model.model_id,
        "inference_engine": {"name": run.run.engine, "version": run.run.engine_version},
        "additional_details": _texts(
            deployment_type="self_deployed",
            model_availability="open_weights" if on_hub else "unknown",
            revision=model.revision,
            dtype=model.dtype,
            quantization=model.quantization,
            params_b=model.params_b,
            base_model=model.base_model,
            kind=model.kind,
        ),
    }
    if on_hub and "/" in model.source_ref:
        info["developer"] = model.source_ref.split("/")[0]
    return info


def _result(evaluation: TaskEvaluation, result: TaskResult) -> dict[str, Any]:
    published = evaluation.published
    # Other metrics' bounds are not landed, and the schema has no type for scores without bounds.
    is_share = result.is_primary and published.is_binary
    bounds = {"score_type": "continuous", "min_score": 0.0, "max_score": 1.0} if is_share else {}
    uncertainty: dict[str, Any] = {"num_samples": result.n_documents}
    if result.stderr is not None:
        uncertainty["standard_error"] = {"value": result.stderr}
    if result.is_primary and published.score_low is not None and published.score_high is not None:
        uncertainty["confidence_interval"] = {
            "lower": published.score_low,
            "upper": published.score_high,
            "confidence_level": 0.95,
        }
    return {
        "evaluation_result_id": f"{result.task}/{result.metric}/{result.filter}/{result.repetition}",
        "evaluation_name": result.task,
        "evaluation_timestamp": str(int(evaluation.inference.started_at.timestamp())),
        "source_data": {"dataset_name": result.task, "source_type": "other"},
        "metric_config": {
            "metric_name": result.metric,
            "lower_is_better": not result.higher_is_better,
            **bounds,
            "additional_details": _texts(
                filter=result.filter,
                is_primary=result.is_primary,
                num_fewshot=result.num_fewshot,
                documents_limit=result.documents_limit,
                task_version=result.task_version,
                task_hash=result.task_hash,
            ),
        },
        "score_details": {
            "score": result.value,
            "details": _energy(evaluation),
            "uncertainty": uncertainty,
        },
    }


def _energy(evaluation: TaskEvaluation) -> dict[str, str]:
    """The energy of the task's inference, the same for all metrics."""
    published, window = evaluation.published, evaluation.inference
    return _texts(
        energy_kwh=published.energy_kwh,
        energy_reason=published.energy_reason,
        energy_method=published.energy_method,
        energy_boundary=published.boundary,
        energy_calibration_factor=published.calibration_factor,
        emissions_kg_co2e=published.emissions_kg,
        energy_comparability_key=published.comparability_key,
        inference_duration_s=window.duration_s,
        requests=window.requests,
        tokens_prompt=window.tokens_prompt,
        tokens_generated=window.tokens_generated,
    )


def _texts(**values: object) -> dict[str, str]:
    """The known values as texts, numbers with all their digits."""
    known = {name: value for name, value in values.items() if value is not None}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in known.items()}
