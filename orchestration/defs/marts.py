"""dbt's models as assets, from staging to marts; dbt's tests, those of the sources included, as asset checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from orchestration.defs.resources import OWNERS, Paths, RefreshLock, dbt_project, tell_dbt
from orchestration.failed_tests import RUN_RESULTS, failed_tests, message
from orchestration.instance import WAREHOUSE_POOL
from orchestration.manifest import project_hash

MARTS_GROUP = "marts"


class Translator(DagsterDbtTranslator):
    """Keys are schema and name, for sources too, so that `raw/x` is what `raw_tables` loads."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return OWNERS


def dbt_models(manifest: Path) -> dg.AssetsDefinition:
    """The assets of the project that the manifest describes."""

    @dbt_assets(
        manifest=manifest,
        project=dbt_project(),
        dagster_dbt_translator=Translator(),
        name="dbt_models",
        pool=WAREHOUSE_POOL,
    )
    def build(
        context: dg.AssetExecutionContext, paths: Paths, dbt: DbtCliResource, refresh_lock: RefreshLock
    ) -> Iterator[Any]:
        tell_dbt(paths.home)
        built_with, project = paths.home.dbt_target / "built_with", project_hash()
        arguments = ["build", "--no-use-colors"]
        if not built_with.exists() or built_with.read_text() != project:
            arguments.append("--full-refresh")  # rows of incremental models that an older project made would stay
        (paths.home.dbt_target / RUN_RESULTS).unlink(missing_ok=True)
        try:
            # Fetching row counts or columns would keep the file open inside this process after dbt has ended.
            yield from dbt.cli(arguments, context=context, target_path=paths.home.dbt_target).stream()
        except DagsterDbtCliRuntimeError:
            if not (failed := failed_tests(paths.home.dbt_target)):
                raise
            raise dg.Failure(message(failed, paths.home.warehouse)) from None
        built_with.write_text(project)

    return build


def marts_of(models: dg.AssetsDefinition) -> list[dg.AssetKey]:
    """The models that are published."""
    return sorted(spec.key for spec in models.specs if spec.group_name == MARTS_GROUP)
