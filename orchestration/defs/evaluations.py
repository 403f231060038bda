"""The catalogue and the evaluations of its models: one dynamic partition per model.

Belongs here: starting evaluators and showing what they answered. What is due, and what an evaluation is, is known by
`evaluators`.
"""

import contextlib
import hashlib
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError  # it has no public name

from evaluators import machine
from evaluators.catalogue.entries import Catalogue
from evaluators.landing import lifecycle
from evaluators.models import hub_cache
from evaluators.plan import PlannedRun, make_spec, plan
from evaluators.process.night_budget import REMEDY, excess, spent_since
from evaluators.spec import Spent
from evaluators.summary import RunSummary
from orchestration.defs.resources import Paths, RunLock
from orchestration.instance.names import CANCEL_TAG, DEVICE_POOL, MODELS, NIGHT_TAG, OWNERS
from orchestration.ui import evidence_tags
from orchestration.ui.summaries import energy_chart, markdown_table, scores_table

PARTITIONS = dg.DynamicPartitionsDefinition(name=MODELS)

_STOPPED = "stopped by a signal; what was finished is kept, and the rest is due in the next night"
_IN_THE_LOG = "its own words are in the run's log (stderr)"


class EvaluationConfig(dg.Config):
    """What to evaluate of the partition's model."""

    suites: list[str] | None = None  # None: all suites of the model
    force: bool = False  # evaluate again what was evaluated before
    control: bool = False  # as a scheduled night: the control workload is due, too
    until_precise: float | None = None  # repeat a task until its energy's interval is this wide, as a share of the mean
    budget_s: float | None = None  # for that; None: no end
    order_seed: str | None = None  # what shuffled the night's models; None: a run by itself
    order_position: int | None = None  # the model's place in that order, from 1


def sync_partitions(instance: dg.DagsterInstance, catalogue: Catalogue) -> None:
    """One partition per model of the catalogue, and no others."""
    wanted, present = {model.name for model in catalogue.models}, set(instance.get_dynamic_partitions(MODELS))
    for model in present - wanted:
        instance.delete_dynamic_partition(MODELS, model)
    instance.add_dynamic_partitions(MODELS, sorted(wanted - present))


@dg.asset(group_name="evaluations", kinds={"yaml"}, owners=OWNERS, tags=evidence_tags.MEASURED)
def catalogue(context: dg.AssetExecutionContext, paths: Paths, run_lock: RunLock) -> dg.MaterializeResult:
    """The models, their lineage and the suites that they are asked, as `catalogue.yml` states them.

    Reading it makes the partitions of `model_evaluations`: one per model.
    """
    entries = paths.catalogue()
    sync_partitions(context.instance, entries)
    rows = [[m.name, m.source, m.kind, m.base_model or "", ", ".join(m.suites)] for m in entries.models]
    return dg.MaterializeResult(
        # So that reading an unchanged catalogue again does not call every evaluation unsynced.
        data_version=dg.DataVersion(hashlib.sha256(entries.path.read_bytes()).hexdigest()),
        metadata={
            "models": len(entries.models),
            "suites": len(entries.suites),
            "file": dg.MetadataValue.path(str(entries.path)),
            "entries": dg.MetadataValue.md(markdown_table(["model", "source", "kind", "base", "suites"], rows)),
        },
    )


@dg.asset(
    partitions_def=PARTITIONS,
    deps=[catalogue],
    pool=DEVICE_POOL,
    group_name="evaluations",
    kinds={"python", "pytorch", "parquet"},
    owners=OWNERS,
    tags=evidence_tags.MEASURED,
)
def model_evaluations(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    paths: Paths,
    evaluator: dg.PipesSubprocessClient,
    run_lock: RunLock,
) -> dg.MaterializeResult:
    """Scores and energies of a model's due suites, landed as Parquet, task by task.

    Each suite is evaluated by a process of its own. What was evaluated before is not evaluated again.
    """
    entries = paths.catalogue()
    planned = plan(
        entries,
        paths.home.path,
        models=[context.partition_key],
        suites=config.suites,
        force=config.force,
        control=config.control,
    )
    for run in planned:
        context.log.info(f"{run.model} on {run.suite}: {'due' if run.due else 'not due'}: {run.reason}")
    limit, entry = entries.settings.hub_cache_limit, entries.model(context.partition_key)
    if limit is not None and any(run.due for run in planned):
        freed = hub_cache.free_to(limit, entries, keep=(entry, *entries.lineage(entry)))
        if freed.revisions or freed.left_bytes > limit:
            context.log.info(f"{freed}; settings.hub_cache_limit is {hub_cache.gigabytes(limit)}")
    night, summaries = _night(context), list[RunSummary]()
    for run in (run for run in planned if run.due):
        spent = spent_since(paths.home.landing, entry, night) if entry.budget is not None else Spent()
        if (why_not := _stopped(context, summaries)) is not None:
            summaries.append(_without_summary(run, "", f"not begun: {why_not}"))
        elif (over := excess(entry.budget, spent)) is not None:
            summaries.append(_without_summary(run, "", f"not begun: {over}: {REMEDY}", over_budget=True))
        else:
            summaries.append(_evaluate(context, run, entries, paths, evaluator, config, spent))
    failures = [f"{s.suite}: {s.reason}" for s in summaries if s.status != "completed"]
    if failures:
        raise dg.Failure("; ".join(failures), metadata=_metadata(planned, summaries))
    return dg.MaterializeResult(metadata=_metadata(planned, summaries))


def _night(context: dg.AssetExecutionContext) -> datetime:
    """When the night began that the run belongs to; a run by itself is a night of its own."""
    night = context.run.tags.get(NIGHT_TAG)
    return datetime.fromisoformat(night) if night else datetime.now(UTC)


def _stopped(context: dg.AssetExecutionContext, before: list[RunSummary]) -> str | None:
    """Why nothing more of this run is evaluated: somebody stopped it; None where nobody did."""
    run = context.instance.get_run_by_id(context.run_id)
    if run is not None and CANCEL_TAG in run.tags:
        return "canceled by `evalwatt cancel`"
    return next((summary.reason for summary in before if summary.reason == _STOPPED), None)


def _evaluate(
    context: dg.AssetExecutionContext,
    run: PlannedRun,
    entries: Catalogue,
    paths: Paths,
    evaluator: dg.PipesSubprocessClient,
    config: EvaluationConfig,
    spent: Spent,
) -> RunSummary:
    spec = make_spec(
        entries,
        run,
        paths.home.path,
        force=config.force,
        until_precise=config.until_precise,
        budget_s=config.budget_s,
        order_seed=config.order_seed,
        order_position=config.order_position,
        spent=spent,
    )
    with tempfile.TemporaryDirectory(prefix="evalwatt-") as folder:
        file = Path(folder, "spec.json")
        file.write_text(spec.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "orchestration.pipes_evaluator", str(file)]
        kills_before = machine.memory_kills()
        try:
            messages = evaluator.run(context=context, command=command).get_custom_messages()
        except DagsterPipesExecutionError as error:
            # A crash has no summary; the next suite gets a fresh process, so it is tried all the same.
            for_memory, canceled = machine.memory_kills() > kills_before, _stopped(context, []) is not None
            status, reason = _end_of_process(str(error), for_memory=for_memory, canceled=canceled)
            with contextlib.suppress(OSError):  # on a full disk that is left to the loader
                lifecycle.close(paths.home.landing, spec.run_id, status, reason)
            return _without_summary(run, spec.run_id, reason if reason == _STOPPED else f"{reason}; {_IN_THE_LOG}")
    return (
        RunSummary.from_json(messages[-1])
        if messages
        else _without_summary(run, spec.run_id, f"the evaluator ended without a word; {_IN_THE_LOG}")
    )


def _end_of_process(error: str, *, for_memory: bool, canceled: bool) -> tuple[str, str]:
    """A crashed evaluator's status and reason. `for_memory`: the kernel has killed for memory meanwhile."""
    if canceled or error.endswith(("code 130", "code -15", "code -2")):
        return "interrupted", _STOPPED
    if not error.endswith("code -9"):
        return "failed", error
    if not for_memory:
        return "interrupted", f"{error}: killed; if nobody did that, memory was short"
    return "failed", f"{error}: killed for memory; give it more, or choose a smaller batch_size, dtype or model"


def _without_summary(run: PlannedRun, run_id: str, reason: str, *, over_budget: bool = False) -> RunSummary:
    return RunSummary(
        run_id=run_id,
        model=run.model,
        suite=run.suite,
        status="failed",
        reason=reason,
        duration_s=0.0,
        energy_kwh=None,
        tasks=(),
        reused=(),
        failures={},
        over_budget=over_budget,
    )


def _metadata(planned: list[PlannedRun], summaries: list[RunSummary]) -> dict[str, dg.MetadataValue]:
    plan_rows = [[run.suite, "due" if run.due else "not due", run.reason] for run in planned]
    metadata: dict[str, dg.MetadataValue] = {
        "plan": dg.MetadataValue.md(markdown_table(["suite", "", "why"], plan_rows)),
    }
    if not summaries:
        return metadata
    energies = [summary.energy_kwh for summary in summaries]
    metadata |= {
        "scores": dg.MetadataValue.md(scores_table(summaries)),
        "duration_s": dg.MetadataValue.float(round(sum(summary.duration_s for summary in summaries), 1)),
        "run_ids": dg.MetadataValue.text(", ".join(summary.run_id for summary in summaries if summary.run_id)),
        "over_budget": dg.MetadataValue.bool(any(summary.over_budget for summary in summaries)),
    }
    if notes := [f"{summary.suite}: {summary.budget_note}" for summary in summaries if summary.budget_note]:
        metadata["budget_notes"] = dg.MetadataValue.text("; ".join(notes))
    if any(summary.tasks for summary in summaries):
        metadata["energy_by_task"] = dg.MetadataValue.md(energy_chart(summaries))
    if None not in energies:
        metadata["energy_kwh"] = dg.MetadataValue.float(float(f"{sum(e for e in energies if e is not None):.6g}"))
    return metadata
