"""dbt's models as assets, from staging to marts; dbt's tests, those of the sources included, as asset checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from orchestration.defs.resources import OWNERS, Paths, RefreshLock, dbt_project, tell_dbt
from orchestration.instance import WAREHOUSE_POOL

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
        # Fetching row counts or columns would keep the file open inside this process after dbt has ended.
        yield from dbt.cli(["build", "--no-use-colors"], context=context, target_path=paths.home.dbt_target).stream()

    return build


def marts_of(models: dg.AssetsDefinition) -> list[dg.AssetKey]:
    """The models that are published."""
    return sorted(spec.key for spec in models.specs if spec.group_name == MARTS_GROUP)
