"""How dbt's models, seeds and tests appear in Dagster: keys, owners, tags, documentation, and what each check means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from orchestration.dbt_artifacts.data_dictionary import entry, marts_in
from orchestration.instance.names import OWNERS
from orchestration.ui import evidence_tags

REMEDY = (
    "If it fails, nothing is published and the last version stays. The result says which rows failed and where they "
    "are kept. Fix the cause, then run `evalwatt build`."
)


class Translator(DagsterDbtTranslator):
    """Keys are schema and name, also for sources, so that `raw/x` is the asset that `raw_tables` loads."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
        self._marts = marts_in(manifest)
        self._evidence = evidence_tags.of_dbt_models(manifest)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description without the SQL that dagster-dbt appends, which is in the metadata."""
        return " ".join(str(dbt_resource_props["description"]).split())

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return {**super().get_tags(dbt_resource_props), **self._evidence.get(dbt_resource_props["unique_id"], {})}

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        metadata = dict(super().get_metadata(dbt_resource_props))
        if dbt_resource_props["resource_type"] == "model":
            # It would hide the column metadata of each build, which also has types and sources.
            metadata.pop("dagster/column_schema", None)
            metadata["sql"] = dg.MetadataValue.md(f"```sql\n{dbt_resource_props['raw_code']}\n```")
        if mart := self._marts.get(dbt_resource_props["name"]):
            metadata |= {
                "key": ", ".join(mart["key"]),
                "documentation": dg.MetadataValue.md(entry(mart)),
                "query": f'evalwatt sql "select * from marts.{mart["name"]} limit 20"',
            }
        return metadata

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=f"{_meaning(manifest['nodes'][unique_id])} {REMEDY}")


def _meaning(test: Mapping[str, Any]) -> str:
    """What a dbt test asserts, in words."""
    generic = test.get("test_metadata") or {}
    arguments, column = generic.get("kwargs", {}), test.get("column_name")
    match generic.get("name"):
        case "primary_key":
            return f"No two rows have the same {', '.join(arguments['columns'])}, and none of them is NULL."
        case "not_negative":
            return f"{', '.join(arguments['columns'])}: NULL or a finite number that is not negative."
        case "never_null":
            return f"{', '.join(arguments['columns'])}: never NULL."
        case "not_null":
            return f"{column} is never NULL."
        case "unique":
            return f"No two rows have the same {column}."
        case "relationships":
            to, where = arguments["to"].split("'")[1], test["config"]["where"]
            return f"{column} is NULL or a {arguments['field']} of {to}{f', where {where}' if where else ''}."
        case "accepted_values":
            return f"{column} is one of: {', '.join(arguments['values'])}."
        case _:
            return " ".join(test.get("description", "").split()) or f"dbt's test {test['name']} finds no row."
