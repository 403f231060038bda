"""lm-eval's results JSON, one file per run: `MODEL_KEY/results_RUN_ID_TIME.json`, as its `EvaluationTracker` names it.

Energies are under the key `evalwatt`, which lm-eval's readers ignore. There are no sample files: lm-eval's contain
every prompt and answer, and texts are not exported; `task_hashes` show whether two runs were asked the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from orchestration.exports.published_runs import File, Left, Run, TaskEvaluation

# lm-eval's names for its own engines.
_MODEL_SOURCES = {"transformers": "hf"}


def files(runs: Sequence[Run], now: datetime) -> Iterator[File | Left]:
    """A results file per run. A repeated task has the last repetition's scores and all energies."""
    for run in runs:
        yield from run.energies_left()
        time = run.run.started_at.isoformat(timespec="microseconds").partition("+")[0].replace(":", "-")
        text = json.dumps(_results(run), indent=2, ensure_ascii=False)
        yield File(f"{run.model.model_key}/results_{run.run.run_id}_{time}.json", text + "\n")


def _results(run: Run) -> dict[str, Any]:
    facts, model = run.run, run.model
    tasks = {evaluation.published.task: evaluation for evaluation in run.evaluations}
    packages = json.loads(facts.package_versions_json)
    source = _MODEL_SOURCES.get(facts.engine, facts.engine)
    return {
        "results": {task: _scores(task, evaluation) for task, evaluation in tasks.items()},
        "group_subtasks": {task: [] for task in tasks},
        "configs": {task: _config(evaluation) for task, evaluation in tasks.items()},
        "versions": {task: evaluation.primary.task_version for task, evaluation in tasks.items()},
        "n-shot": {task: evaluation.primary.num_fewshot for task, evaluation in tasks.items()},
        "higher_is_better": {
            task: {result.metric: result.higher_is_better for result in evaluation.results}
            for task, evaluation in tasks.items()
        },
        "n-samples": {task: _samples(evaluation) for task, evaluation in tasks.items()},
        "config": {
            "model": source,
            "model_args": {"pretrained": model.source_ref if model.source == "hub" else model.model_id},
            **_known(model_num_parameters=model.params_b and round(model.params_b * 1e9)),
            "model_dtype": facts.dtype,
            "model_revision": model.revision,
            **_known(model_sha=model.revision if model.source == "hub" else None),
            "batch_size": facts.batch_policy,
            "device": facts.device,
            "random_seed": 0,
            "numpy_seed": facts.seed,
            "torch_seed": facts.seed,
            "fewshot_seed": facts.seed,
        },
        **_known(git_hash=facts.project_git_sha, transformers_version=packages.get("transformers")),
        "date": facts.started_at.timestamp(),
        "lm_eval_version": facts.harness_version,
        "model_source": source,
        "model_name": model.model_id,
        "model_name_sanitized": model.model_key,
        "task_hashes": _known(**{task: evaluation.samples_hash for task, evaluation in tasks.items()}),
        **_known(total_evaluation_time_seconds=facts.duration_s and str(facts.duration_s)),
        "evalwatt": {
            "run_id": facts.run_id,
            "suite": facts.suite,
            "status": facts.status,
            **_known(status_reason=facts.reason),
            "energy": [_energy(evaluation) for evaluation in run.evaluations],
        },
    }


def _scores(task: str, evaluation: TaskEvaluation) -> dict[str, Any]:
    scores: dict[str, Any] = {"name": task, "alias": task, "sample_len": evaluation.primary.n_documents}
    for result in evaluation.results:
        scores[f"{result.metric},{result.filter}"] = result.value
        # lm-eval's own value without an estimate.
        scores[f"{result.metric}_stderr,{result.filter}"] = "N/A" if result.stderr is None else result.stderr
    return scores


def _config(evaluation: TaskEvaluation) -> dict[str, Any]:
    """The landed part of the task's configuration."""
    result = evaluation.primary
    return {
        "task": result.task,
        "output_type": result.output_type,
        "num_fewshot": result.num_fewshot,
        "metadata": {"version": result.task_version, "evalwatt_task_hash": result.task_hash},
    }


def _samples(evaluation: TaskEvaluation) -> dict[str, int]:
    result = evaluation.primary
    asked = {"effective": result.n_documents}
    # The total number of documents of a limited task is not landed.
    return asked if result.documents_limit is not None else {"original": result.n_documents, **asked}


def _energy(evaluation: TaskEvaluation) -> dict[str, Any]:
    """The energy of inference alone, as measurement.md defines it; `energy_kwh` is null if not known."""
    published = evaluation.published
    return {
        "task": published.task,
        "repetition": published.repetition,
        "energy_kwh": published.energy_kwh,
        "energy_reason": published.energy_reason,
        "energy_method": published.energy_method,
        "energy_boundary": published.boundary,
        "calibration_factor": published.calibration_factor,
        "emissions_kg": published.emissions_kg,
        "duration_s": evaluation.inference.duration_s,
        "requests": evaluation.inference.requests,
        "tokens_prompt": evaluation.inference.tokens_prompt,
        "tokens_generated": evaluation.inference.tokens_generated,
        "comparability_key": published.comparability_key,
    }


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
