"""Publication: it runs only where everything before it went well."""

from collections import Counter

import dagster as dg

from evaluators.machine import project_git_sha
from orchestration import publication as library
from orchestration.defs.resources import OWNERS, Paths, RefreshLock
from orchestration.home import PROJECT
from orchestration.instance import WAREHOUSE_POOL
from orchestration.summaries import markdown_table

PUBLICATION = dg.AssetKey("publication")


def publication_of(marts: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that publishes the marts."""

    @dg.asset(deps=marts, group_name="publication", kinds={"duckdb", "parquet"}, owners=OWNERS, pool=WAREHOUSE_POOL)
    def publication(context: dg.AssetExecutionContext, paths: Paths, refresh_lock: RefreshLock) -> dg.MaterializeResult:
        """The marts as readers see them: a read-only, versioned folder behind the symlink `published/current`.

        Published by the run that built and checked the marts, and not at all where a check of severity error failed.
        """
        checks = checks_of(context.instance, context.run_id)
        if not checks:
            raise dg.Failure(
                "this run has checked nothing; publish with the job `refresh`, which builds and checks first"
            )
        if checks["failed"]:
            raise dg.Failure(f"{checks['failed']} checks of severity error failed; nothing is published")
        result = library.publish(
            paths.home, checks=checks, git_sha=project_git_sha(PROJECT), keep=paths.catalogue().settings.keep_versions
        )
        return dg.MaterializeResult(
            metadata={
                "build_id": result.build_id,
                "path": dg.MetadataValue.path(str(result.path)),
                "published_at": str(result.published_at),
                "rows": dg.MetadataValue.md(markdown_table(["mart", "rows"], list(result.row_counts.items()))),
                "checks": dg.MetadataValue.md(markdown_table(["outcome", "checks"], list(checks.items()))),
            }
        )

    return publication


def checks_of(instance: dg.DagsterInstance, run_id: str) -> Counter[str]:
    """How many asset checks the run passed, was warned by, and failed."""
    counts: Counter[str] = Counter()
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        check = entry.get_dagster_event().asset_check_evaluation_data
        failed = "warned" if check.severity == dg.AssetCheckSeverity.WARN else "failed"
        counts["passed" if check.passed else failed] += 1
    return counts
