"""Checks of the pipeline itself; checks of the data are dbt's tests. They warn, because they must not stop a night."""

from pathlib import Path

import dagster as dg

from evaluators.plan import plan
from orchestration.defs.raw_tables import raw_key
from orchestration.defs.resources import Paths
from orchestration.summaries import markdown_table


@dg.asset_check(asset=raw_key("evaluation_runs"))
def quarantine_is_empty(paths: Paths) -> dg.AssetCheckResult:
    """No landed bundle was damaged or invalid. Look at reason.json in it, and delete it when it is explained."""
    reasons = [str(reason.parent.relative_to(paths.home.quarantine)) for reason in _reasons(paths.home.quarantine)]
    return dg.AssetCheckResult(
        passed=not reasons,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"bundles in {paths.home.quarantine}: {len(reasons)}; look at reason.json in each, then delete it"
        if reasons
        else "nothing is in quarantine",
        metadata={"bundles": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in reasons))} if reasons else None,
    )


def _reasons(quarantine: Path) -> list[Path]:
    return sorted(quarantine.rglob("reason.json"))


@dg.asset_check(asset=raw_key("evaluation_runs"))
def every_planned_evaluation_ended_well(paths: Paths) -> dg.AssetCheckResult:
    """Nothing in the catalogue is still due when its results are loaded. `evalwatt run` evaluates what is."""
    due = [run for run in plan(paths.catalogue(), paths.home.path) if run.due]
    rows = [[run.model, run.suite, run.reason] for run in due]
    return dg.AssetCheckResult(
        passed=not due,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"evaluations still due: {len(due)}; `evalwatt run` evaluates them" if due else "nothing is due",
        metadata={"due": dg.MetadataValue.md(markdown_table(["model", "suite", "why"], rows))} if due else None,
    )
