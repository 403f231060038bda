"""Checks of the pipeline itself; dbt's tests check the data. They only warn, because they must not stop a night."""

import json
from collections import Counter
from pathlib import Path

import dagster as dg

from evaluators.plan import plan
from orchestration.defs.raw_tables import raw_key
from orchestration.defs.resources import Paths
from orchestration.ui.summaries import markdown_table


@dg.asset_check(asset=raw_key("evaluation_runs"))
def quarantine_is_empty(paths: Paths) -> dg.AssetCheckResult:
    """Nothing that arrived was damaged or invalid. Delete what is quarantined once its reason is explained."""
    found = [_quarantined(file, paths.home.quarantine) for file in sorted(paths.home.quarantine.rglob("reason.json"))]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"quarantined in {paths.home.quarantine}: {len(found)}; delete each once its reason is explained"
        if found
        else "nothing is in quarantine",
        metadata={"quarantined": dg.MetadataValue.md(markdown_table(["what", "why"], found))} if found else None,
    )


def _quarantined(file: Path, quarantine: Path) -> tuple[str, str]:
    """A bundle with its reason, or a leaderboard state with the reasons of its rows."""
    facts = json.loads(file.read_bytes())
    reasons = Counter([facts["reason"]] if "reason" in facts else [row["reason"] for row in facts["rows"]])
    why = "; ".join(reason if rows == 1 else f"{reason} ({rows} rows)" for reason, rows in reasons.items())
    return str(file.parent.relative_to(quarantine)), why


@dg.asset_check(asset=raw_key("evaluation_runs"))
def every_planned_evaluation_ended_well(paths: Paths) -> dg.AssetCheckResult:
    """Nothing in the catalogue is still due after its results were loaded. `evalwatt run` evaluates what is due."""
    due = [run for run in plan(paths.catalogue(), paths.home.path) if run.due]
    rows = [[run.model, run.suite, run.reason] for run in due]
    return dg.AssetCheckResult(
        passed=not due,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"evaluations still due: {len(due)}; `evalwatt run` evaluates them" if due else "nothing is due",
        metadata={"due": dg.MetadataValue.md(markdown_table(["model", "suite", "why"], rows))} if due else None,
    )
