"""The definitions: a lineage without a gap, and what an evaluation's asset makes of its process's answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from test_publication import build_marts
from tiny import model_entry, save_catalogue

from evaluators.records import RECORDS
from orchestration.definitions import build_defs
from orchestration.defs.publication import checks_of, publication_of
from orchestration.defs.report import report
from orchestration.defs.resources import Paths, default_resources
from orchestration.home import Home
from orchestration.instance import open_instance
from orchestration.publication import Publication, current

# What the evaluator's process does, without evaluating: model `slow` is killed, `weak` fails, others are well.
STAND_IN = """
import json, os, signal, sys
from dagster_pipes import open_dagster_pipes
spec = json.load(open(sys.argv[1]))
with open_dagster_pipes() as pipes:
    name = spec["model"]["name"]
    if name == "slow":
        os.kill(os.getpid(), signal.SIGKILL)
    task = dict(task="tiny_one", metric="acc", score=0.5, stderr=0.1, documents=6, duration_s=3.0, energy_kwh=0.002,
                energy_method="modelled", tokens_prompt=60, tokens_generated=12,
                tokens_computed=1234, tokens_unshared=12345)
    failed = name == "weak"
    pipes.report_custom_message(dict(
        run_id=spec["run_id"], model=name, suite=spec["suite"]["name"], status="failed" if failed else "completed",
        reason="no tokenizer; add one" if failed else None, duration_s=4.0, energy_kwh=None if failed else 0.002,
        tasks=[] if failed else [task], reused=["tiny_two"], failures={}))
"""


class StandIn(dg.PipesSubprocessClient):
    """A Pipes client that starts the stand-in instead of the evaluator."""

    def run(self, *, context: Any, command: Any, **options: Any) -> Any:
        return super().run(context=context, command=[sys.executable, "-c", STAND_IN, command[-1]], **options)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    models = [model_entry(name, name) for name in ("good", "weak", "slow")]
    catalogue = save_catalogue(tmp_path, tasks=["tiny_one"], models=models)
    return Paths(evalwatt_home=str(tmp_path / "data"), catalogue_file=str(catalogue))


@pytest.fixture
def instance(paths: Paths) -> Iterator[dg.DagsterInstance]:
    with open_instance(Home(Path(paths.evalwatt_home))) as instance:
        yield instance


@pytest.fixture
def definitions(paths: Paths, instance: dg.DagsterInstance) -> dg.Definitions:
    # With an instance open: Dagster remembers the last one weakly, and does not resolve definitions once that is gone.
    return build_defs(paths, {"evaluator": StandIn()})


def test_the_lineage_reads_from_catalogue_to_publication(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    groups = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    order = ["evaluations", "leaderboard", "raw", "staging", "intermediate", "marts", "publication"]
    assert set(groups.values()) == {*order, "seeds"}
    assert {key.path[-1] for key, group in groups.items() if group == "raw"} == {r.table for r in RECORDS} | {"loads"}

    def ancestors(key: dg.AssetKey) -> set[dg.AssetKey]:
        parents = graph.get(key).parent_keys
        return {key}.union(*map(ancestors, parents))

    catalogue, states = dg.AssetKey("catalogue"), dg.AssetKey("leaderboard_states")
    assert catalogue in ancestors(dg.AssetKey("model_evaluations"))
    assert states in ancestors(dg.AssetKey(["staging", "stg_leaderboard_snapshots"]))
    for key, group in groups.items():
        if group == "seeds":
            continue
        assert ancestors(key) & {catalogue, states}, f"{key} comes neither from the catalogue nor from a state"
        assert all(
            order.index(groups[p]) <= order.index(group) for p in graph.get(key).parent_keys if groups[p] in order
        )
    publication = graph.get(dg.AssetKey("publication"))
    assert {key for key, group in groups.items() if group == "marts"} == publication.parent_keys
    assert publication.child_keys == {dg.AssetKey("report")}


def test_assets_say_what_they_are_and_whose(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, f"{key} has no description"
        assert node.owners, f"{key} has no owner"
        assert node.kinds, f"{key} has no kinds"
        assert node.is_materializable, f"{key} is made by nobody"


def test_dbt_tests_are_checks_also_on_the_sources(definitions: dg.Definitions) -> None:
    checked = {key.asset_key.path[0] for key in definitions.resolve_asset_graph().asset_check_keys}
    assert {"raw", "staging", "marts"} <= checked


def test_only_evaluations_use_the_device_and_only_the_refresh_the_warehouse(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    pools: dict[str, set[str | None]] = {}
    for key in graph.get_all_asset_keys():
        pools.setdefault(graph.get(key).group_name, set()).update(graph.get(key).pools or {None})
    assert pools.pop("evaluations") == {None, "device"}
    assert pools.pop("leaderboard") == {None}
    assert set().union(*pools.values()) == {"warehouse"}


def test_an_evaluation_shows_scores_and_energy(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    evaluate(definitions, instance, "good")
    (materialization,) = instance.fetch_materializations(dg.AssetKey("model_evaluations"), limit=5).records
    assert materialization.partition_key == "good"
    metadata = materialization.asset_materialization.metadata
    assert metadata["energy_kwh"].value == 0.002
    assert "| tiny_one | acc | 0.500\u00a0±\u00a00.100 | 2.00 | modelled | 3.0 | 2.0 | 1,234 of 12,345 |" in str(
        metadata["scores"].value
    )
    assert "| tiny_two |  | evaluated before |" in str(metadata["scores"].value)
    assert str(metadata["energy_by_task"].value).startswith("![energy of each task](data:image/svg+xml;base64,")


def test_only_another_catalogue_makes_evaluations_unsynced(
    definitions: dg.Definitions, instance: dg.DagsterInstance, paths: Paths
) -> None:
    evaluate(definitions, instance, "good")
    read, file = definitions.resolve_job_def("read_catalogue"), Path(paths.catalogue_file)
    versions = []
    for text in (file.read_text(), file.read_text() + " "):
        file.write_text(text)
        assert read.execute_in_process(instance=instance).success
        (latest,) = instance.fetch_materializations(dg.AssetKey("catalogue"), limit=1).records
        versions.append(dict(latest.asset_materialization.tags or {})["dagster/data_version"])
    (evaluation,) = instance.fetch_materializations(dg.AssetKey("model_evaluations"), limit=1).records
    assert evaluation.asset_materialization.tags is not None
    assert evaluation.asset_materialization.tags["dagster/input_data_version/catalogue"] == versions[0] != versions[1]


@pytest.mark.parametrize(
    ("model", "reason"), [("weak", "tiny: no tokenizer; add one"), ("slow", "failed with code -9")]
)
def test_a_failed_model_is_a_failed_partition_with_its_reason(
    definitions: dg.Definitions, instance: dg.DagsterInstance, model: str, reason: str
) -> None:
    result = evaluate(definitions, instance, model)
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert reason in str(failure.user_failure_data.description)
    assert instance.get_run_by_id(result.run_id).tags["dagster/partition"] == model


def test_publication_refuses_a_run_that_checked_nothing(
    definitions: dg.Definitions, instance: dg.DagsterInstance, paths: Paths
) -> None:
    job = definitions.resolve_job_def("refresh")
    result = job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("publication")], raise_on_error=False
    )
    assert not result.success
    assert checks_of(instance, result.run_id) == {}
    assert not (Path(paths.evalwatt_home) / "published").exists()


@pytest.mark.parametrize("severity", dg.AssetCheckSeverity)
def test_a_failed_check_of_severity_error_stops_the_publication_and_a_warning_does_not(
    instance: dg.DagsterInstance, paths: Paths, monkeypatch: pytest.MonkeyPatch, severity: dg.AssetCheckSeverity
) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="a_mart")])
    def a_mart() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, severity=severity)])

    published = []

    def publish(home: Home, checks: dict[str, int], **options: object) -> Publication:
        published.append(dict(checks))
        return Publication("b1", home.current, {"a_mart": 1}, datetime.now(UTC))

    monkeypatch.setattr("orchestration.publication.publish", publish)
    result = dg.materialize(
        [a_mart, publication_of([dg.AssetKey("a_mart")])],
        instance=instance,
        resources=default_resources(paths),
        raise_on_error=False,
    )
    warns = severity == dg.AssetCheckSeverity.WARN
    assert result.success == warns
    assert published == ([{"warned": 1}] if warns else [])


def test_a_report_that_fails_fails_alone(instance: dg.DagsterInstance, paths: Paths) -> None:
    """It has none of the tables that it asks."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="a_mart")])
    def a_mart() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    build_marts(paths.home, 1)
    result = dg.materialize(
        [a_mart, publication_of([dg.AssetKey("a_mart")]), report],
        instance=instance,
        resources=default_resources(paths),
        raise_on_error=False,
    )
    assert [event.step_key for event in result.get_step_failure_events()] == ["report"]
    assert current(paths.home).is_dir()
    assert not paths.home.report_page.exists()


def test_a_broken_catalogue_says_so_when_the_definitions_are_loaded(paths: Paths) -> None:
    Path(paths.catalogue_file).write_text(json.dumps({"suites": {}}))
    with pytest.raises(Exception, match=r"catalogue\.yml"):
        build_defs(paths)


def evaluate(definitions: dg.Definitions, instance: dg.DagsterInstance, model: str) -> dg.ExecuteInProcessResult:
    assert definitions.resolve_job_def("read_catalogue").execute_in_process(instance=instance).success
    assert set(instance.get_dynamic_partitions("models")) == {"good", "weak", "slow"}
    return definitions.resolve_job_def("evaluate_model").execute_in_process(
        instance=instance, partition_key=model, raise_on_error=False
    )
