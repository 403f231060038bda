"""The definitions: a lineage without a gap, and what an evaluation's asset makes of its process's answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from evaluators.records import RECORDS
from evaluators.spec import RunSpec
from evaluators.summary import RunSummary
from orchestration.definitions import build_defs
from orchestration.defs.freshness import every_night
from orchestration.defs.housekeeping import housekeeping
from orchestration.defs.publication import checks_of, publication_of
from orchestration.defs.report import report
from orchestration.defs.resources import Paths, default_resources
from orchestration.home import Home
from orchestration.instance.housekeeping import delete_old_runs
from orchestration.instance.opening import open_instance
from orchestration.warehouse.publication import Publication, current, publish
from tests.support.small_marts import NOTHING_METERED, build_marts
from tests.support.stand_in import StandIn
from tests.support.tiny import model_entry, save_catalogue


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
    layers = {"raw", "seeds", "staging", "intermediate", "marts"}
    assert set(groups.values()) == {"evaluations", "leaderboard", *layers, "publication"}
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


def test_every_asset_says_what_it_rests_on_and_marts_how_fresh_they_are_and_how_to_ask_them(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = {key.path[-1]: graph.get(key) for key in graph.get_all_asset_keys()}
    evidence = {
        name: {tag.removeprefix("evidence/") for tag in node.tags if tag.startswith("evidence/")}
        for name, node in nodes.items()
        if node.group_name != "seeds"
    }
    assert evidence["mart_verbosity"] == evidence["model_evaluations"] == {"measured"}
    assert evidence["fct_leaderboard_evaluations"] >= evidence["leaderboard_states"] == {"leaderboard"}
    assert evidence["mart_study_claims"] == evidence["publication"] == {"measured", "leaderboard"}
    # made from a seed alone
    assert {name for name, found in evidence.items() if not found} == set()

    marts = {name: node for name, node in nodes.items() if node.group_name == "marts"}
    fresh = {name for name, node in nodes.items() if node.freshness_policy_or_from_metadata is not None}
    assert fresh == {*marts, "publication"}
    for name, node in marts.items():
        assert node.metadata["query"] == f'evalwatt sql "select * from marts.{name} limit 20"'
        assert "| column | type | unit | NULL | what it is |" in node.metadata["documentation"].value


def test_every_check_says_what_it_holds_and_how_to_mend_it(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    specs = {key: graph.get(key) for key in graph.asset_check_keys}
    assert all(node.description for node in specs.values())
    for name, meaning in (
        (
            "not_negative_mart_verbosity_tokens_out_per_request__characters__joules_per_correct",
            "tokens_out_per_request, characters, joules_per_correct: NULL or a finite number that is not negative.",
        ),
        (
            "relationships_fct_task_evaluations_run_id__run_id__ref_fct_evaluation_runs_",
            "run_id is NULL or a run_id of fct_evaluation_runs, where is_valid or not is_complete.",
        ),
    ):
        (key,) = [key for key in specs if key.name == name]
        description = str(specs[key].description)
        assert description.startswith(f"{meaning} ")
        assert "`evalwatt build`" in description


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


def test_how_much_is_asked_reaches_the_evaluator(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs: list[RunSpec] = []

    def record(context: object, evaluator: object, spec: RunSpec, is_canceled: object) -> RunSummary:
        specs.append(spec)
        return RunSummary(spec.run_id, "good", "tiny", "completed", None, 1.0, None, (), (), {})

    monkeypatch.setattr("orchestration.launch.suites.evaluate", record)
    assert evaluate(definitions, instance, "good", until="±2 points", complete=True).success
    assert evaluate(definitions, instance, "good").success
    asked, plain = specs
    assert ([task.until for task in asked.suite.tasks], asked.complete) == (["±2 points"], True)
    assert ([task.until for task in plain.suite.tasks], plain.complete) == ([None], False)
    assert asked.plan_key == plain.plan_key


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


def test_the_hubs_cache_is_within_its_limit_before_a_model_is_evaluated(
    definitions: dg.Definitions, instance: dg.DagsterInstance, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(paths.evalwatt_home)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    snapshots = [home / "hub" / f"models--a--{name}" / "snapshots" / (name * 40) for name in "bc"]
    for used, snapshot in enumerate(snapshots):
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").write_bytes(bytes(3_000_000))
        os.utime(snapshot / "model.safetensors", (1e9 + used, 1e9))
    good = model_entry("good", "", source="hub", repo="a/b", revision="b" * 40)
    del good["path"]
    models = [good, *(model_entry(name, name) for name in ("weak", "slow"))]
    save_catalogue(Path(paths.catalogue_file).parent, tasks=["tiny_one"], models=models, hub_cache_limit="1MB")
    result = evaluate(definitions, instance, "good")
    assert [snapshot.exists() for snapshot in snapshots] == [True, False]
    said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    line = "freed 3.00 MB of the hub's cache (a/c@cccccccccccc); 3.00 MB remain; settings.hub_cache_limit is 1.00 MB"
    assert line in said


def test_runs_older_than_the_setting_are_forgotten_but_not_what_a_partition_rests_on(
    definitions: dg.Definitions, instance: dg.DagsterInstance, paths: Paths
) -> None:
    home = Home(Path(paths.evalwatt_home))
    runs = [evaluate(definitions, instance, model).run_id for model in ("good", "weak", "good")]
    reads = [run.run_id for run in instance.get_runs() if run.job_name == "read_catalogue"]
    landed = sorted(home.landing.rglob("*"))
    later = datetime.now(UTC) + timedelta(days=100)
    assert delete_old_runs(instance, home, timedelta(days=101), later) == []

    gone = delete_old_runs(instance, home, timedelta(days=90), later)
    assert set(gone) == {*runs[:2], *reads[1:]}
    assert {run.run_id for run in instance.get_runs()} == {runs[2], reads[0]}
    assert instance.get_materialized_partitions(dg.AssetKey("model_evaluations")) == {"good"}
    files = {path.name for path in home.dagster.rglob("*") if any(run_id in path.name for run_id in gone)}
    assert files == set()
    remembered = instance.fetch_materializations(dg.AssetKey("model_evaluations"), limit=9).records
    assert [record.run_id for record in remembered] == [runs[2]]
    assert sorted(home.landing.rglob("*")) == landed


def test_a_run_that_has_not_ended_is_never_forgotten(instance: dg.DagsterInstance, paths: Paths) -> None:
    run = instance.create_run_for_job(housekeeping, status=dg.DagsterRunStatus.STARTED)
    later = datetime.now(UTC) + timedelta(days=100)
    assert delete_old_runs(instance, Home(Path(paths.evalwatt_home)), timedelta(days=1), later) == []
    assert instance.has_run(run.run_id)


def test_the_daily_job_takes_its_setting_from_the_catalogue(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    result = definitions.resolve_job_def("housekeeping").execute_in_process(instance=instance)
    assert "deleted 0 runs older than 90 days, 0:00:00; their landed results stay" in [
        entry.user_message for entry in instance.all_logs(result.run_id)
    ]
    cron = {s.name: s.cron_schedule for s in definitions.schedules or () if isinstance(s, dg.ScheduleDefinition)}
    assert cron == {"nightly": "0 2 * * *", "housekeeping_schedule": "0 14 * * *"}


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
        home.current.mkdir(parents=True)
        with duckdb.connect(home.marts) as connection:
            connection.execute(NOTHING_METERED)
        return Publication("b1", home.current, {"a_mart": 1}, datetime.now(UTC))

    monkeypatch.setattr("orchestration.warehouse.publication.publish", publish)
    result = dg.materialize(
        [a_mart, publication_of([dg.AssetKey("a_mart")], every_night(paths.catalogue().settings))],
        instance=instance,
        resources=default_resources(paths),
        raise_on_error=False,
    )
    warns = severity == dg.AssetCheckSeverity.WARN
    assert result.success == warns
    assert published == ([{"warned": 1}] if warns else [])


def test_a_report_that_fails_fails_alone(instance: dg.DagsterInstance, paths: Paths) -> None:
    """What is published has none of the tables that it asks."""

    @dg.asset(name="publication")
    def published() -> None:
        publish(paths.home)

    build_marts(paths.home, 1)
    result = dg.materialize(
        [published, report], instance=instance, resources=default_resources(paths), raise_on_error=False
    )
    assert [event.step_key for event in result.get_step_failure_events()] == ["report"]
    assert current(paths.home).is_dir()
    assert not paths.home.report_page.exists()


def test_a_broken_catalogue_says_so_when_the_definitions_are_loaded(paths: Paths) -> None:
    Path(paths.catalogue_file).write_text(json.dumps({"suites": {}}))
    with pytest.raises(Exception, match=r"catalogue\.yml"):
        build_defs(paths)


def evaluate(
    definitions: dg.Definitions, instance: dg.DagsterInstance, model: str, **config: object
) -> dg.ExecuteInProcessResult:
    assert definitions.resolve_job_def("read_catalogue").execute_in_process(instance=instance).success
    assert set(instance.get_dynamic_partitions("models")) == {"good", "weak", "slow"}
    return definitions.resolve_job_def("evaluate_model").execute_in_process(
        run_config={"ops": {"model_evaluations": {"config": config}}},
        instance=instance,
        partition_key=model,
        raise_on_error=False,
    )
