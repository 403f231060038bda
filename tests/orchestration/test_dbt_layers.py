"""dbt's layers, and what every model owes its reader, held over dbt's manifest.

The rules are dbt-project-evaluator's, as far as they fit. Two do not: a model may have any number of children (an
intermediate is there to be shared), and a step that only one model reads may be rejoined with what it is made from (it
is a model of its own to be tested).

An exception names its reason, and one that nothing needs any more fails its test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import pytest

from orchestration.dbt_artifacts.manifest import manifest

MEASURED, LEADERBOARD, STUDY = (f"intermediate/{folder}" for folder in ("measured", "leaderboard", "study"))
# What the models of a folder read. Own evaluations and the leaderboard's table meet in the study's claims and marts.
READS = {
    "staging": {"sources"},
    MEASURED: {"seeds", "staging", MEASURED},
    LEADERBOARD: {"seeds", "staging", LEADERBOARD},
    STUDY: {"seeds", MEASURED, LEADERBOARD, STUDY},
    "marts": {"seeds", MEASURED, LEADERBOARD, STUDY},
}
NAMES = {"staging": ("stg_",), "marts": ("dim_", "fct_", "mart_")} | dict.fromkeys(
    (MEASURED, LEADERBOARD, STUDY), ("int_",)
)

DERIVED = "a figure that is derived from a published one cannot say anything else than it"
DIMENSION = "what a model is stands in one place"
STAGED = "it is the staged table with sums beside it; an intermediate between them would only repeat it"
READ_ACROSS = {
    "mart_carbon_scenarios": {"mart_model_efficiency": DERIVED},
    "mart_emissions_history": {"stg_evaluation_runs": STAGED, "stg_models": STAGED},
    "mart_model_efficiency": {"dim_models": DIMENSION},
    "mart_pareto_frontier": {"mart_model_efficiency": DERIVED},
    "mart_size_bucket_comparison": {"mart_model_efficiency": DERIVED, "dim_models": DIMENSION},
    "fct_evaluation_runs": {"stg_evaluation_runs": STAGED},
}
NOT_READ = {"loads": "the loader's own: which bundles are in the tables"}
WITH_ITS_RUN = "it arrives with a run, whose freshness is that of evaluation_runs"
WITHOUT_FRESHNESS = {
    **dict.fromkeys(("models", "task_results", "task_emissions", "samples"), WITH_ITS_RUN),
    **dict.fromkeys(("parts", "part_samples", "part_emissions", "stops"), WITH_ITS_RUN),
    **dict.fromkeys(("exclusions", "calibrations"), "a person's decision comes when it comes"),
    **dict.fromkeys(("gates", "gate_verdicts"), "a gate is asked when somebody ships a model"),
    "leaderboard_snapshots": "the leaderboard has ended: no newer state will come",
    "loads": "a rebuild loads what is old",
}
NOT_IN_THE_DIMENSION = {
    ("fct_evaluation_runs", "model_key"): "of a run whose set-up did not arrive only the key is known",
    **{
        ("mart_gates", f"{side}_model_key"): "a run that is lost or in quarantine must not stop the publication"
        for side in ("candidate", "reference")
    },
}
MANY_PARENTS = {
    "int_task_evaluations": "it is where all that was landed of a task evaluation comes together",
}

Node = Mapping[str, Any]


@pytest.fixture(scope="module")
def nodes() -> dict[str, Node]:
    """Models, seeds and sources by dbt's id, each with `parents` and `children` by id, and its generic `tests`."""
    document = json.loads(manifest().read_bytes())
    found = {**document["nodes"], **document["sources"]}
    kept = {key: node for key, node in found.items() if node["resource_type"] in ("model", "seed", "source")}
    tests = [node for node in found.values() if node["resource_type"] == "test" and "test_metadata" in node]
    return {
        key: {
            **node,
            "parents": [parent for parent in document["parent_map"][key] if parent in kept],
            "children": document["child_map"][key],
            "tests": [test["test_metadata"] for test in tests if test["attached_node"] == key],
        }
        for key, node in kept.items()
    }


@pytest.fixture(scope="module")
def models(nodes: dict[str, Node]) -> dict[str, Node]:
    return {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}


def folder(node: Node) -> str:
    """The layer: the folder of a model below `models`, else what it is."""
    if node["resource_type"] != "model":
        return f"{node['resource_type']}s"
    return str(PurePath(node["original_file_path"]).parent.relative_to("models"))


def test_a_model_reads_its_own_layer_and_those_before(nodes: dict[str, Node], models: dict[str, Node]) -> None:
    across = {
        name: {
            parent["name"]
            for parent in map(nodes.__getitem__, model["parents"])
            if folder(parent) not in READS[folder(model)]
        }
        for name, model in models.items()
    }
    assert {name: parents for name, parents in across.items() if parents} == {
        name: set(parents) for name, parents in READ_ACROSS.items()
    }


def test_no_dimension_is_made_from_a_fact(nodes: dict[str, Node], models: dict[str, Node]) -> None:
    def ancestors(node: Node) -> set[str]:
        return {node["name"]}.union(*(ancestors(nodes[parent]) for parent in node["parents"]))

    for name, model in models.items():
        if name.startswith("dim_"):
            assert not [ancestor for ancestor in ancestors(model) if ancestor.startswith(("fct_", "mart_"))]


def test_names_say_the_layer(models: dict[str, Node]) -> None:
    assert {folder(model) for model in models.values()} == set(READS)
    for name, model in models.items():
        assert name.startswith(NAMES[folder(model)]), f"{name} is in {folder(model)}"
        assert model["schema"] == folder(model).split("/")[0]


def test_a_source_is_staged_once_and_a_staging_model_has_one_source(
    nodes: dict[str, Node], models: dict[str, Node]
) -> None:
    sources = [node for node in nodes.values() if node["resource_type"] == "source"]
    unread = {source["name"] for source in sources if not source["children"]}
    assert unread == set(NOT_READ)
    for model in models.values():
        if folder(model) == "staging":
            (source,) = model["parents"]
            assert model["name"] == f"stg_{nodes[source]['name']}"
            assert [child for child in nodes[source]["children"] if child.startswith("model.")] == [model["unique_id"]]


def test_it_is_said_how_fresh_a_source_has_to_be(nodes: dict[str, Node]) -> None:
    sources = [node for node in nodes.values() if node["resource_type"] == "source"]
    assert {source["name"] for source in sources if not source["loaded_at_field"]} == set(WITHOUT_FRESHNESS)


def offenders(models: Mapping[str, Node], is_wrong: Callable[[Node], object]) -> set[str]:
    return {name for name, model in models.items() if is_wrong(model)}


def test_every_model_opens_with_its_grain(models: dict[str, Node]) -> None:
    assert not offenders(models, lambda model: not model["description"].startswith("One row per "))


def test_every_model_has_a_key(models: dict[str, Node]) -> None:
    assert not offenders(models, lambda model: "primary_key" not in [test["name"] for test in model["tests"]])


def test_the_models_that_marts_name_are_in_the_dimension(models: dict[str, Node]) -> None:
    marts = {name: model for name, model in models.items() if folder(model) == "marts" and name != "dim_models"}
    keys = {
        (name, column) for name, mart in marts.items() for column in mart["columns"] if column.endswith("model_key")
    }
    tested = {
        (name, test["kwargs"]["column_name"])
        for name, mart in marts.items()
        for test in mart["tests"]
        if test["name"] == "relationships" and test["kwargs"]["to"] == "ref('dim_models')"
    }
    assert keys - tested == set(NOT_IN_THE_DIMENSION)


def test_every_model_is_an_asset(models: dict[str, Node]) -> None:
    """An ephemeral one is none, and its tests would be observations of an asset that nobody makes."""
    assert not offenders(models, lambda model: model["config"]["materialized"] == "ephemeral")


def test_what_selects_by_row_version_is_made_by_row_version(nodes: dict[str, Node], models: dict[str, Node]) -> None:
    selecting = {"macro.evalwatt.is_missing", "macro.evalwatt.is_of_a_missing_state"}
    for name, model in models.items():
        is_made = model["config"]["incremental_strategy"] == "by_row_version"
        assert is_made == bool(selecting & set(model["depends_on"]["macros"])), name
        if is_made:
            versions = model["config"]["meta"].get("versions", "int_leaderboard_state_versions")
            assert versions in {nodes[parent]["name"] for parent in model["parents"]}, name


def test_sources_and_their_columns_are_described(nodes: dict[str, Node]) -> None:
    for node in nodes.values():
        if node["resource_type"] == "source":
            assert node["source_description"]
            assert node["description"].startswith("One row per "), node["name"]
            assert all(column["description"] for column in node["columns"].values()), node["name"]


def test_the_yaml_of_a_model_lies_beside_its_sql(models: dict[str, Node]) -> None:
    for name, model in models.items():
        yaml = str(model["patch_path"]).partition("://")[2]
        assert yaml == str(PurePath(model["original_file_path"]).with_suffix(".yml")), name


def test_every_model_is_read(models: dict[str, Node]) -> None:
    def is_read(key: str) -> bool:
        return key.startswith(("model.", "exposure."))

    assert not offenders(models, lambda model: not any(map(is_read, model["children"])))


def test_relations_are_named_by_ref_and_source_alone(models: dict[str, Node]) -> None:
    def named(model: Node) -> list[str]:
        sql = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|--[^\n]*", "", model["raw_code"], flags=re.DOTALL)
        return re.findall(r"\b(?:from|join)\s+\w+\.\w+", sql)

    assert not offenders(models, named)
    assert not offenders(models, lambda model: not model["parents"])


def test_few_models_are_joined_from_seven_parents_or_more(models: dict[str, Node]) -> None:
    assert offenders(models, lambda model: len(model["parents"]) >= 7) == set(MANY_PARENTS)


def test_no_more_than_three_views_hang_on_one_another(nodes: dict[str, Node], models: dict[str, Node]) -> None:
    """What is read through views is computed by each reader."""

    def views(node: Node) -> int:
        if node["resource_type"] != "model" or node["config"]["materialized"] != "view":
            return 0
        return 1 + max(views(nodes[parent]) for parent in node["parents"])

    assert not offenders(models, lambda model: views(model) > 3)


def test_marts_are_tables_with_a_contract(models: dict[str, Node]) -> None:
    marts = {name: model for name, model in models.items() if folder(model) == "marts"}
    assert not offenders(marts, lambda mart: mart["config"]["materialized"] not in ("table", "incremental"))
    assert not offenders(marts, lambda mart: not mart["contract"]["enforced"])
    assert not offenders(marts, lambda mart: not all(column["description"] for column in mart["columns"].values()))
