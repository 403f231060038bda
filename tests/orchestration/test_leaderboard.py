"""Leaderboard states from the landing into raw, and as Dagster's asset, on real parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from evaluators.leaderboards import formats, hub
from evaluators.leaderboards.states import Imported, import_state
from evaluators.records import BY_TABLE, LeaderboardSnapshot
from orchestration.definitions import build_defs
from orchestration.defs.checks import quarantine_is_empty
from orchestration.defs.resources import LeaderboardHub, Paths
from orchestration.home import Home
from orchestration.instance.opening import open_instance
from orchestration.ui import state_events
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import raw_schema
from tests.support import states
from tests.support.hub_history import History
from tests.support.landed_files import rewrite, with_value
from tests.support.landing_builder import BuiltRun, TaskOutcome
from tests.support.states import DAY, row
from tests.support.tiny import model_entry, save_catalogue

ROWS = [row("a/model", params_b=-1.0, emissions_published_kg=-1.0), row("b/model", hub_license="mit")]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


def bring(home: Home, rows: list[dict[str, Any]], day: date = DAY) -> Imported:
    path = states.save(home.path.parent, rows, day)
    return import_state(lambda: formats.read(path), day, path.name, home.landing, home.quarantine)


def raw(home: Home) -> list[dict[str, Any]]:
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        return connection.sql("from raw.leaderboard_snapshots order by all").to_arrow_table().to_pylist()


def test_states_are_loaded_once_and_as_they_are(home: Home) -> None:
    bring(home, ROWS)
    bring(home, ROWS[:1], date(2025, 1, 10))
    report = warehouse.load(home)
    assert (report.loaded_bundles, report.states, report.quarantined) == (2, 2, [])
    assert report.row_counts == {"leaderboard_snapshots": 3}
    loaded = raw(home)
    expected = states.as_records(ROWS, f"contents_{DAY}.parquet")
    assert [{k: v for k, v in found.items() if k != raw_schema.LANDED_FILE} for found in loaded[:2]] == expected
    assert all((home.landing / found["landed_file"]).exists() for found in loaded)
    again = warehouse.load(home)
    assert (again.loaded_bundles, again.states) == (0, 2)
    assert raw(home) == loaded
    assert warehouse.rebuild(home).states == 2
    assert raw(home) == loaded


def test_runs_and_states_load_side_by_side(home: Home) -> None:
    bring(home, ROWS)
    run_id = BuiltRun(home.landing, "base", (TaskOutcome("mc", [True], 1.0),)).land()
    report = warehouse.load(home)
    assert (report.states, report.interrupted, report.row_counts["evaluation_runs"]) == (1, [], 1)
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        found = dict(connection.sql("select run_id, max(bundle) from raw.loads group by all").fetchall())
    assert found == {f"open-llm-leaderboard@{DAY}": "state", run_id: "setup"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (
            "snapshot_date",
            date(2025, 1, 8),
            "snapshot_date 2025-01-08 in the directory 'open-llm-leaderboard@2025-01-09'",
        ),
        ("emissions_published_kg", -0.5, "column emissions_published_kg holds the negative value -0.5"),
        ("params_b", float("inf"), "column params_b holds inf"),
        ("bbh", float("nan"), "column bbh holds nan"),
        ("ifeval", -1.0, "column ifeval holds the negative value -1.0"),
        ("fullname", None, "column fullname is NULL in 1 rows"),
        ("eval_name", "b_model_bfloat16_True", "is not unique"),
    ],
)
def test_a_state_that_is_wrong_is_quarantined(home: Home, name: str, value: Any, reason: str) -> None:
    bring(home, ROWS)
    bring(home, ROWS, date(2025, 1, 10))
    folder = home.landing / f"open-llm-leaderboard@{DAY}"
    (file,) = folder.rglob("*.parquet")
    rewrite(file, with_value(name, value))
    ((run, bundle, why),) = warehouse.load(home).quarantined
    assert (run, bundle) == (folder.name, "state")
    assert reason in why
    assert len(raw(home)) == 2
    # It is gone from the landing, so the right one can be imported.
    assert bring(home, ROWS).new
    assert warehouse.load(home).states == 2


def test_the_check_says_what_is_quarantined_and_why(home: Home) -> None:
    paths = Paths(evalwatt_home=str(home.path), catalogue_file="")
    check = cast("dg.AssetCheckResult", quarantine_is_empty(paths=paths))
    assert (check.passed, check.description) == (True, "nothing is in quarantine")
    wrong = [row(f"{name}/model", submission_date="soon") for name in "bc"]
    bring(home, [row("a/model"), *wrong, row("d/model"), row("e/model")])
    (file,) = home.landing.rglob("*.parquet")
    rewrite(file, with_value("bbh", float("nan")))
    warehouse.load(home)
    check = cast("dg.AssetCheckResult", quarantine_is_empty(paths=paths))
    assert not check.passed
    lines = str(check.metadata["quarantined"].value).splitlines()
    assert any(f"open-llm-leaderboard@{DAY}/state" in line and "column bbh holds nan" in line for line in lines)
    assert any(f"leaderboard/{DAY}" in line and "(2 rows)" in line for line in lines)


def test_a_state_without_its_table_is_quarantined(home: Home) -> None:
    bring(home, ROWS)
    (file,) = home.landing.rglob("*.parquet")
    file.rename(file.with_suffix(".aside"))
    ((_, _, why),) = warehouse.load(home).quarantined
    assert "the file of table leaderboard_snapshots is missing" in why


def test_rows_of_a_state_enter_no_run(home: Home) -> None:
    bring(home, ROWS)
    (file,) = home.landing.rglob("*.parquet")
    table = pq.read_table(file)
    problems = list(raw_schema.row_problems(LeaderboardSnapshot, table, "01JGZZZZZZZZZZZZZZZZZZZZZZ"))
    assert problems == ["snapshot_date 2025-01-09 in the directory '01JGZZZZZZZZZZZZZZZZZZZZZZ'"]


@pytest.mark.skipif(not states.REAL, reason=states.NO_REAL_STATES)
def test_all_real_states_are_loaded(home: Home) -> None:
    rows = 0
    for path in states.REAL:
        day = formats.date_in_name(path)
        assert day is not None
        read = lambda path=path: formats.read(path)  # noqa: E731
        rows += import_state(read, day, path.name, home.landing, home.quarantine).rows
    report = warehouse.load(home)
    assert (report.states, report.quarantined) == (len(states.REAL), [])
    assert report.row_counts == {"leaderboard_snapshots": rows}


# As Dagster's asset.


class FakeHub(LeaderboardHub):
    folder: str

    def client(self) -> hub.Client:
        history = History(Path(self.folder))
        history.commit("abc", datetime(2025, 1, 9, 12, tzinfo=UTC), ROWS)
        return history


@pytest.fixture
def paths(tmp_path: Path, home: Home) -> Paths:
    catalogue = save_catalogue(tmp_path, tasks=["tiny_one"], models=[model_entry("base", "base")])
    return Paths(evalwatt_home=str(home.path), catalogue_file=str(catalogue))


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    with open_instance(home) as instance:
        yield instance


@pytest.fixture
def definitions(paths: Paths, instance: dg.DagsterInstance, tmp_path: Path) -> dg.Definitions:
    return build_defs(paths, {"leaderboard_hub": FakeHub(folder=str(tmp_path / "hub"))})


def materialize(
    definitions: dg.Definitions, instance: dg.DagsterInstance, day: str, path: Path | None = None
) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions("leaderboard_states", [day])
    config = {"ops": {"leaderboard_states": {"config": {"path": str(path)}}}} if path else None
    return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        partition_key=day,
        asset_selection=[state_events.STATES_KEY],
        run_config=config,
        raise_on_error=False,
    )


def last_facts(instance: dg.DagsterInstance, day: str) -> dict[str, Any]:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=state_events.STATES_KEY, asset_partitions=[day]), limit=1
    ).records
    return {name: value.value for name, value in records[0].asset_materialization.metadata.items()}


def reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return str(failure.user_failure_data.description)


def test_a_partition_is_a_day_from_the_hub_or_a_file(
    definitions: dg.Definitions, instance: dg.DagsterInstance, home: Home, tmp_path: Path
) -> None:
    assert materialize(definitions, instance, "2025-01-09").success
    assert states.landed(home.landing) == states.as_records(ROWS, "open-llm-leaderboard/contents@abc")
    facts = last_facts(instance, "2025-01-09")
    assert facts["dagster/partition_row_count"] == 2
    assert facts["source"] == "open-llm-leaderboard/contents@abc"
    assert len(facts["state_sha256"]) == 64
    assert facts["new"] is True
    path = states.save(tmp_path, ROWS)
    assert materialize(definitions, instance, "2025-01-10", path).success
    assert len(states.landed(home.landing, date(2025, 1, 10))) == 2
    assert materialize(definitions, instance, "2025-01-10", path).success
    assert last_facts(instance, "2025-01-10")["new"] is False


def test_a_partition_that_cannot_be_imported_says_why(
    definitions: dg.Definitions, instance: dg.DagsterInstance, home: Home, tmp_path: Path
) -> None:
    assert "has no commit on 2025-01-08; choose a day with a commit" in reason(
        materialize(definitions, instance, "2025-01-08")
    )
    (tmp_path / "empty.csv").touch()
    failed = materialize(definitions, instance, "2025-01-09", tmp_path / "empty.csv")
    assert "empty.csv: is empty" in reason(failed)
    assert "'yesterday' is not a day" in reason(materialize(definitions, instance, "yesterday"))
    assert not home.landing.exists()


def test_dagster_is_told_of_every_state_once(instance: dg.DagsterInstance, home: Home) -> None:
    imported = [bring(home, ROWS, date(2025, 1, day)) for day in (1, 2, 3)]
    state_events.report(home, imported)
    assert sorted(instance.get_dynamic_partitions("leaderboard_states")) == ["2025-01-01", "2025-01-02", "2025-01-03"]
    assert instance.get_materialized_partitions(state_events.STATES_KEY) == {f"2025-01-0{day}" for day in (1, 2, 3)}
    state_events.report(home, [bring(home, ROWS, date(2025, 1, 1)), bring(home, ROWS, date(2025, 1, 4))])
    assert len(instance.fetch_materializations(state_events.STATES_KEY, limit=10).records) == 4


def load_raw(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dict[str, Any]:
    key = dg.AssetKey(["raw", "leaderboard_snapshots"])
    selection = [dg.AssetKey(["raw", r]) for r in ("loads", *BY_TABLE)]
    job = definitions.resolve_job_def("refresh")
    assert state_events.STATES_KEY not in job.asset_layer.selected_asset_keys, "a refresh imports nothing itself"
    assert job.execute_in_process(instance=instance, asset_selection=selection).success
    records = instance.fetch_materializations(key, limit=1).records
    return {name: value.value for name, value in records[0].asset_materialization.metadata.items()}


def test_the_raw_table_says_how_many_states_there_are_and_how_to_import(
    definitions: dg.Definitions, instance: dg.DagsterInstance, home: Home
) -> None:
    facts = load_raw(definitions, instance)
    assert facts["leaderboard_states"] == 0
    assert "evalwatt import-leaderboard" in facts["leaderboard_import"]
    bring(home, ROWS)
    facts = load_raw(definitions, instance)
    assert (facts["leaderboard_states"], facts["rows_loaded"]) == (1, 2)
    assert "leaderboard_import" not in facts


def test_quarantined_rows_are_seen_by_the_nightly_check(home: Home) -> None:
    imported = bring(home, [*ROWS, row("c/wrong", bbh=200.0)])
    (found,) = home.quarantine.rglob("reason.json")
    assert found.parent == imported.quarantine
    assert json.loads(found.read_text())["state"] == str(DAY)
