"""BoAmps reports, one file per task evaluation: the energy of inference with its model, data and machine.

The dataclasses are codecarbon's, which follow BoAmps' schemas and omit None. A report requires an energy, so an
evaluation without a known energy has no report.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

from codecarbon.output_methods.boamps import (
    BoAmpsAlgorithm,
    BoAmpsDataset,
    BoAmpsEnvironment,
    BoAmpsHardware,
    BoAmpsHeader,
    BoAmpsInfrastructure,
    BoAmpsMeasure,
    BoAmpsReport,
    BoAmpsSoftware,
    BoAmpsSystem,
    BoAmpsTask,
)
from codecarbon.output_methods.boamps.mapper import BOAMPS_FORMAT_SPEC_URI, BOAMPS_FORMAT_VERSION

from evaluators.energy.grid import country_name
from evaluators.landing.bundles import task_bundle
from orchestration.exports.published_runs import File, Left, Run, TaskEvaluation

_FAMILIES = {"multiple_choice": "multipleChoiceQuestionAnswering", "generate_until": "textGeneration"}
_TIME = "%Y-%m-%d %H:%M:%S"


def files(runs: Sequence[Run], now: datetime) -> Iterator[File | Left]:
    """A report per task evaluation with a known energy."""
    for run in runs:
        for evaluation in run.evaluations:
            if evaluation.published.energy_kwh is None:
                reason = f"its energy is not known ({evaluation.published.energy_reason}), and a report requires one"
                yield Left(f"{evaluation.name} of run {run.run.run_id}", reason)
                continue
            name = task_bundle(evaluation.primary.fingerprint, evaluation.published.repetition)
            text = json.dumps(_report(run, evaluation, now).to_dict(), indent=2, ensure_ascii=False)
            yield File(f"boamps_report_{run.run.run_id}_{name}.json", text + "\n")


def _report(run: Run, evaluation: TaskEvaluation, now: datetime) -> BoAmpsReport:
    facts, published = run.run, evaluation.published
    identity = f"evalwatt/{facts.run_id}/{published.task}/{published.repetition}"
    return BoAmpsReport(
        header=BoAmpsHeader(
            format_version=BOAMPS_FORMAT_VERSION,
            format_version_specification_uri=BOAMPS_FORMAT_SPEC_URI,
            report_id=str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
            report_datetime=now.strftime(_TIME),
        ),
        task=_task(run, evaluation),
        measures=[_measure(run, evaluation)],
        system=BoAmpsSystem(os=facts.operating_system),
        software=BoAmpsSoftware(language="python", version=json.loads(facts.package_versions_json).get("python")),
        # It is not known whether the machine is in a cloud.
        infrastructure=BoAmpsInfrastructure(infra_type="other", components=_components(run)),
        environment=BoAmpsEnvironment(
            country=country_name(facts.country_iso_code) or facts.country_iso_code,
            location=facts.grid_region,
            power_source_carbon_intensity=facts.grid_intensity_g_per_kwh,
        ),
        # BoAmps' scale is the error: low is 50 %, medium 25 %, high 10 %. Sensors that miss the power supply read 20 %
        # less than a wall meter, power models are further off; nothing here reaches high.
        quality="low" if "modelled" in published.energy_method else "medium",
    )


def _task(run: Run, evaluation: TaskEvaluation) -> BoAmpsTask:
    model, result, published, window = run.model, evaluation.primary, evaluation.published, evaluation.inference
    tokens = (("input", window.tokens_prompt), ("output", window.tokens_generated))
    return BoAmpsTask(
        task_stage="inference",
        task_family=_FAMILIES.get(result.output_type, result.output_type),
        nb_request=window.requests,
        algorithms=[
            BoAmpsAlgorithm(
                algorithm_type="llm",
                foundation_model_name=model.model_id,
                foundation_model_uri=f"https://huggingface.co/{model.source_ref}" if model.source == "hub" else None,
                parameters_number=model.params_b,
                framework=run.run.engine,
                framework_version=run.run.engine_version,
                # The file's precision is not the computation's: quantized weights are converted first.
                quantization=f"{model.quantization} weights, computed in {model.dtype}"
                if model.quantization
                else model.dtype,
            )
        ],
        dataset=[
            BoAmpsDataset(data_usage=usage, data_type="token", data_quantity=quantity) for usage, quantity in tokens
        ],
        measured_accuracy=_share(evaluation) if published.is_binary else None,
        task_description=(
            f"{result.task}, {result.num_fewshot}-shot, {result.n_documents} documents, lm-eval "
            f"{run.run.harness_version}. Energy of the inference alone, of {published.boundary}: "
            f"{published.energy_method}. Comparable only within: {published.comparability_key}"
        ),
    )


def _share(evaluation: TaskEvaluation) -> float:
    """The share of correct answers; for a metric that counts errors, one minus its value."""
    result = evaluation.primary
    return result.value if result.higher_is_better else 1 - result.value


def _measure(run: Run, evaluation: TaskEvaluation) -> BoAmpsMeasure:
    """Energies in kWh, durations in s. BoAmps' calibration is the idle machine: the run's idle window."""
    window, published = evaluation.inference, evaluation.published
    idle = next((w for w in run.windows if w.phase == "idle" and w.quality_flags is None and w.energy_kwh), None)
    return BoAmpsMeasure(
        measurement_method=f"{run.run.meter} ({published.energy_method})",
        version=run.run.meter_version,
        cpu_tracking_mode=None if window.cpu_method == "absent" else window.cpu_method,
        gpu_tracking_mode=None if window.gpu_method == "absent" else window.gpu_method,
        power_calibration_measurement=idle.energy_kwh if idle else None,
        duration_calibration_measurement=idle.duration_s if idle else None,
        power_consumption=published.energy_kwh,
        measurement_duration=window.duration_s,
        measurement_date_time=window.started_at.strftime(_TIME),
    )


def _components(run: Run) -> list[BoAmpsHardware]:
    facts = run.run
    cpu = BoAmpsHardware(f"{facts.cpu_model}, logical cores", "cpu", nb_component=facts.cpu_count)
    ram = BoAmpsHardware(component_type="ram", nb_component=1, memory_size=round(facts.ram_total_gb))
    gpu = BoAmpsHardware(facts.device_name, "gpu", nb_component=1)
    return [cpu, ram, gpu] if facts.device.startswith("cuda") else [cpu, ram]
