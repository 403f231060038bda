"""dbt's models as assets, from staging to marts, and dbt's tests, including those of the sources, as asset checks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from orchestration.dbt_artifacts.failed_tests import RUN_RESULTS, failed_tests, message
from orchestration.dbt_artifacts.manifest import parsed_here, project_hash
from orchestration.defs.resources import Paths, RefreshLock, dbt_project, set_dbt_home
from orchestration.instance.names import WAREHOUSE_POOL
from orchestration.ui.table_metadata import with_table_metadata
from orchestration.ui.translator import Translator

MARTS_GROUP = "marts"


def dbt_models(manifest: Path, freshness: dg.FreshnessPolicy) -> dg.AssetsDefinition:
    """The assets of the manifest's project; `freshness` applies to the marts."""
    translator = Translator(json.loads(manifest.read_bytes()))

    @dbt_assets(
        manifest=manifest,
        project=dbt_project(),
        dagster_dbt_translator=translator,
        name="dbt_models",
        pool=WAREHOUSE_POOL,
    )
    def build(
        context: dg.AssetExecutionContext, paths: Paths, dbt: DbtCliResource, refresh_lock: RefreshLock
    ) -> Iterator[Any]:
        set_dbt_home(paths.home)
        built_with, project = paths.home.dbt_target / "built_with", project_hash()
        # Unit tests would check the same rows every night: they are for changes to a model, and for CI.
        arguments = ["build", "--no-use-colors", "--exclude-resource-type", "unit_test", *parsed_here()]
        if not built_with.exists() or built_with.read_text() != project:
            arguments.append(
                "--full-refresh"
            )  # otherwise rows that an older project built would stay in incremental models
        (paths.home.dbt_target / RUN_RESULTS).unlink(missing_ok=True)
        try:
            events = dbt.cli(arguments, context=context, target_path=paths.home.dbt_target).stream()
            yield from with_table_metadata(events, paths.home, translator, project)
        except DagsterDbtCliRuntimeError:
            if not (failed := failed_tests(paths.home.dbt_target)):
                raise
            raise dg.Failure(message(failed, paths.home.warehouse)) from None
        built_with.write_text(project)

    return build.map_asset_specs(
        lambda spec: spec.replace_attributes(freshness_policy=freshness) if spec.group_name == MARTS_GROUP else spec
    )


def marts_of(models: dg.AssetsDefinition) -> list[dg.AssetKey]:
    """The keys of the published models."""
    return sorted(spec.key for spec in models.specs if spec.group_name == MARTS_GROUP)
