"""The catalogue and its models' evaluations: one dynamic partition per model."""

import hashlib

import dagster as dg

from evaluators.catalogue.entries import Catalogue
from evaluators.plan import plan
from orchestration.defs.resources import Paths, RunLock
from orchestration.instance.names import DEVICE_POOL, MODELS, OWNERS
from orchestration.launch.suites import evaluate_due, make_room
from orchestration.ui import evidence_tags
from orchestration.ui.summaries import markdown_table, run_metadata

PARTITIONS = dg.DynamicPartitionsDefinition(name=MODELS)


class EvaluationConfig(dg.Config):
    """What to evaluate for the partition's model."""

    suites: list[str] | None = None  # None: all suites of the model
    force: bool = False  # evaluate even what is not due
    complete: bool = False  # ask everything, whatever the suites' `until`
    until: str | None = None  # for all suites, instead of theirs: `decided`, or a width such as `±2 points`
    compare_with: str | None = None  # for all suites, instead of theirs: what `until: decided` compares with
    margin: float | None = None  # for all suites, instead of theirs: points within which two scores are equivalent
    control: bool = False  # as in a scheduled night: the control workload is due, too
    until_precise: float | None = None  # repeat a task until its energy's interval is this wide, as a share of the mean
    repeat_for_s: float | None = None  # time for repetitions; None: unlimited
    order_seed: str | None = None  # the seed that shuffled the night's models; None: a single run
    order_position: int | None = None  # the model's place in that order, from 1


def sync_partitions(instance: dg.DagsterInstance, catalogue: Catalogue) -> None:
    """One partition per model of the catalogue, and no others."""
    wanted, present = {model.name for model in catalogue.models}, set(instance.get_dynamic_partitions(MODELS))
    for model in present - wanted:
        instance.delete_dynamic_partition(MODELS, model)
    instance.add_dynamic_partitions(MODELS, sorted(wanted - present))


@dg.asset(group_name="evaluations", kinds={"yaml"}, owners=OWNERS, tags=evidence_tags.MEASURED)
def catalogue(context: dg.AssetExecutionContext, paths: Paths, run_lock: RunLock) -> dg.MaterializeResult:
    """The models, their lineage and their suites, as in `catalogue.yml`.

    Reading it creates the partitions of `model_evaluations`: one per model.
    """
    entries = paths.catalogue()
    sync_partitions(context.instance, entries)
    rows = [[m.name, m.source, m.kind, m.base_model or "", ", ".join(m.suites)] for m in entries.models]
    return dg.MaterializeResult(
        # So that reading an unchanged catalogue again does not mark every evaluation as unsynced.
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

    A separate process evaluates each suite. What was evaluated before is not evaluated again.
    """
    entries = paths.catalogue()
    if config.until is not None:
        entries = entries.asked_until(config.until)
    if config.compare_with is not None:
        entries = entries.compared_with(config.compare_with, config.margin)
    planned = plan(
        entries,
        paths.home.path,
        models=[context.partition_key],
        suites=config.suites,
        force=config.force,
        complete=config.complete,
        control=config.control,
    )
    for run in planned:
        context.log.info(f"{run.model} on {run.suite}: {'due' if run.due else 'not due'}: {run.reason}")
    due = any(run.due for run in planned)
    if due and (freed := make_room(entries, entries.model(context.partition_key))) is not None:
        context.log.info(freed)
    of_a_spec = config.model_dump(exclude={"suites", "control", "until", "compare_with", "margin"})
    summaries = evaluate_due(context, evaluator, paths.home, entries, planned, of_a_spec)
    metadata = run_metadata(planned, summaries)
    failures = [f"{s.suite}: {s.reason}" for s in summaries if s.status != "completed"]
    if failures:
        raise dg.Failure("; ".join(failures), metadata=metadata)
    return dg.MaterializeResult(metadata=metadata)
