"""The entry point that Dagster loads; the definitions are in `defs`, one concept per file."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from orchestration.dbt_artifacts.manifest import manifest
from orchestration.defs import automation
from orchestration.defs.checks import every_planned_evaluation_ended_well, quarantine_is_empty
from orchestration.defs.evaluations import catalogue, model_evaluations
from orchestration.defs.freshness import every_night
from orchestration.defs.housekeeping import daily_schedule, housekeeping
from orchestration.defs.leaderboard import leaderboard_states
from orchestration.defs.marts import dbt_models, marts_of
from orchestration.defs.night_watch import night_message
from orchestration.defs.publication import publication_of
from orchestration.defs.raw_tables import raw_tables
from orchestration.defs.report import report
from orchestration.defs.resources import Paths, default_resources


def build_defs(paths: Paths | None = None, overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """The definitions of one installation. `overrides` replaces resources by key, for tests.

    Raises CatalogueError and ManifestError: a code location that cannot work fails instead of being empty.
    """
    paths = paths or Paths.from_env()
    settings = paths.catalogue().settings
    freshness = every_night(settings)
    models = dbt_models(manifest(), freshness)
    return dg.Definitions(
        assets=[
            *(catalogue, model_evaluations, leaderboard_states, raw_tables),
            *(models, publication_of(marts_of(models), freshness), report),
        ],
        asset_checks=[quarantine_is_empty, every_planned_evaluation_ended_well],
        jobs=[automation.read_catalogue, automation.evaluate_model, automation.refresh, housekeeping],
        schedules=[automation.nightly_schedule(settings), daily_schedule(settings)],
        sensors=[automation.refresh_after_evaluations, automation.catalogue_changed, night_message],
        resources={**default_resources(paths), **(overrides or {})},
        # One process per run: a process per step would cost seconds, and evaluations have their own process anyway.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs()
