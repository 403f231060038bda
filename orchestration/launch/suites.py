"""Evaluates a model's due suites one after the other, within its night budget, until somebody cancels."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from evaluators.catalogue.entries import Catalogue, ModelEntry
from evaluators.models import hub_cache
from evaluators.plan import PlannedRun, make_spec
from evaluators.process.night_budget import REMEDY, excess, spent_since
from evaluators.spec import Spent
from evaluators.summary import RunSummary
from orchestration.home import Home
from orchestration.instance.names import CANCEL_TAG, NIGHT_TAG
from orchestration.launch.process import STOPPED, evaluate


def make_room(entries: Catalogue, entry: ModelEntry) -> str | None:
    """Reduce the hub's cache to its limit, keeping what the model needs. Returns what was done, in words."""
    if (limit := entries.settings.hub_cache_limit) is None:
        return None
    freed = hub_cache.free_to(limit, entries, keep=(entry, *entries.lineage(entry)))
    if not freed.revisions and freed.left_bytes <= limit:
        return None
    return f"{freed}; settings.hub_cache_limit is {hub_cache.gigabytes(limit)}"


def evaluate_due(
    context: dg.AssetExecutionContext,
    evaluator: dg.PipesSubprocessClient,
    home: Home,
    entries: Catalogue,
    planned: Sequence[PlannedRun],
    further: Mapping[str, Any],
) -> list[RunSummary]:
    """A summary of each due run of the partition's model. `further`: fields of their specs."""
    entry, night, summaries = entries.model(context.partition_key), _night(context), list[RunSummary]()
    for run in (run for run in planned if run.due):
        spent = spent_since(home.landing, entry, night) if entry.budget is not None else Spent()
        if _is_canceled(context):
            summaries.append(_not_begun(run, "canceled by `evalwatt cancel`"))
        elif any(summary.reason == STOPPED for summary in summaries):
            summaries.append(_not_begun(run, STOPPED))
        elif (over := excess(entry.budget, spent)) is not None:
            summaries.append(_not_begun(run, f"{over}: {REMEDY}", over_budget=True))
        else:
            spec = make_spec(entries, run, home.path, spent=spent, **further)
            summaries.append(evaluate(context, evaluator, spec, lambda: _is_canceled(context)))
    return summaries


def _night(context: dg.AssetExecutionContext) -> datetime:
    """When the run's night started; a run outside a night counts as its own."""
    night = context.run.tags.get(NIGHT_TAG)
    return datetime.fromisoformat(night) if night else datetime.now(UTC)


def _is_canceled(context: dg.AssetExecutionContext) -> bool:
    run = context.instance.get_run_by_id(context.run_id)
    return run is not None and CANCEL_TAG in run.tags


def _not_begun(run: PlannedRun, why: str, *, over_budget: bool = False) -> RunSummary:
    return RunSummary.of_none("", run.model, run.suite, f"not begun: {why}", over_budget=over_budget)
