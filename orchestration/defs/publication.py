"""Publication, which runs only if every step before it succeeded.

It also records each model's current figures on its partition, so that Dagster plots score and energy over time.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

import dagster as dg

from evaluators.machine import project_git_sha
from orchestration.defs.resources import Paths, RefreshLock
from orchestration.home import MARTS_FILE, PROJECT
from orchestration.instance.names import EVALUATIONS, MODELS, OWNERS, WAREHOUSE_POOL
from orchestration.ui import evidence_tags
from orchestration.ui.model_figures import SuiteFigures, model_figures
from orchestration.ui.summaries import markdown_table
from orchestration.warehouse import publication as library

PUBLICATION = dg.AssetKey("publication")


def publication_of(marts: list[dg.AssetKey], freshness: dg.FreshnessPolicy) -> dg.AssetsDefinition:
    """The asset that publishes the marts."""

    @dg.asset(
        deps=marts,
        group_name="publication",
        kinds={"duckdb", "parquet"},
        owners=OWNERS,
        tags=evidence_tags.BOTH,
        pool=WAREHOUSE_POOL,
        freshness_policy=freshness,
    )
    def publication(context: dg.AssetExecutionContext, paths: Paths, refresh_lock: RefreshLock) -> dg.MaterializeResult:
        """The marts as readers see them: a read-only, versioned folder behind the symlink `published/current`.

        Published by the run that built and checked the marts, unless a check of severity error failed.
        """
        checks = checks_of(context.instance, context.run_id)
        if not checks:
            raise dg.Failure(
                "this run has not checked anything; publish with the job `refresh`, which builds and checks first"
            )
        if checks["failed"]:
            raise dg.Failure(f"{checks['failed']} checks of severity error failed; nothing is published")
        began = time.monotonic()
        result = library.publish(
            paths.home, checks=checks, git_sha=project_git_sha(PROJECT), keep=paths.catalogue().settings.keep_versions
        )
        publish_s = time.monotonic() - began
        models = set(context.instance.get_dynamic_partitions(MODELS))
        for observation in observations(model_figures(result.path / MARTS_FILE), models):
            context.log_event(observation)
        return dg.MaterializeResult(
            metadata={
                "refresh_s": round(time.time() - _started_at(context), 1),
                "publish_s": round(publish_s, 1),
                "rows_total": sum(result.row_counts.values()),
                "checks_passed": checks["passed"],
                "checks_warned": checks["warned"],
                "build_id": result.build_id,
                "path": dg.MetadataValue.path(str(result.path)),
                "published_at": str(result.published_at),
                "rows": dg.MetadataValue.md(markdown_table(["mart", "rows"], list(result.row_counts.items()))),
                "checks": dg.MetadataValue.md(markdown_table(["outcome", "checks"], list(checks.items()))),
            }
        )

    return publication


def _started_at(context: dg.AssetExecutionContext) -> float:
    """When the run's process started, in seconds since the epoch."""
    record = context.instance.get_run_record_by_id(context.run_id)
    return time.time() if record is None or record.start_time is None else record.start_time


def observations(figures: Iterable[SuiteFigures], models: set[str]) -> Iterator[dg.AssetObservation]:
    """One observation per model that is still a partition. Unknown figures are omitted and leave a gap in the plot.

    Figures' names contain the model's name, because Dagster plots equal names of all partitions as one line.
    """
    for model, suites in groupby(figures, key=lambda row: row.model):
        if model not in models:
            continue
        metadata: dict[str, float | str] = {}
        for row in suites:
            for name in ("score", "energy_kwh", "joules_per_correct"):
                if (figure := getattr(row, name)) is not None:
                    metadata[f"{name} {row.suite} {model}"] = float(f"{figure:.6g}")
            metadata[f"comparability_key {row.suite} {model}"] = row.comparability_key
        yield dg.AssetObservation(
            EVALUATIONS,
            partition=model,
            description="The model's current figures in the published marts.",
            metadata=metadata,
        )


def checks_of(instance: dg.DagsterInstance, run_id: str) -> Counter[str]:
    """How many of the run's asset checks passed, warned and failed."""
    counts: Counter[str] = Counter()
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        check = entry.get_dagster_event().asset_check_evaluation_data
        failed = "warned" if check.severity == dg.AssetCheckSeverity.WARN else "failed"
        counts["passed" if check.passed else failed] += 1
    return counts
