"""What is landed of runs, read for whoever plans: typed, once, and no more than was asked for."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from evaluators.catalogue.entries import load
from evaluators.landing import lifecycle, runs
from evaluators.landing.bundles import RUN_FILE, SUMMARY_FILE, TASKS_FILE, new_run_id
from evaluators.plan import plan
from tests.support import tiny
from tests.support.landing_builder import START, BuiltRun


def begin(landing: Path, model: str, night: int) -> Path:
    """A run's directory as its process leaves it that is killed before its first task."""
    run_id = new_run_id(START + timedelta(days=night))
    lifecycle.open_run(landing, BuiltRun(landing, model, (), suite="tiny").end_row(run_id)).release()
    return landing / run_id


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of file was read."""
    names, original = Counter[str](), runs.read_json

    def counting(path: Path) -> object:
        names[path.name] += 1
        return original(path)

    monkeypatch.setattr(runs, "read_json", counting)
    return names


def test_runs_come_by_model_and_suite_oldest_first(tmp_path: Path) -> None:
    folders = [begin(tmp_path, model, night) for night, model in enumerate(["a", "b", "a"])]
    found = runs.runs_by_workload(tmp_path)
    assert {workload: [run.folder for run in of] for workload, of in found.items()} == {
        ("a", "tiny"): [folders[0], folders[2]],
        ("b", "tiny"): [folders[1]],
    }
    assert [run.time for run in found["a", "tiny"]] == [START, START + timedelta(days=2)]
    recent = runs.runs_by_workload(tmp_path, since=START + timedelta(days=1))
    assert {workload: [run.folder for run in of] for workload, of in recent.items()} == {
        ("a", "tiny"): [folders[2]],
        ("b", "tiny"): [folders[1]],
    }


def test_a_damaged_beginning_is_left_out_and_damaged_side_files_are_no_answer(tmp_path: Path) -> None:
    damaged, whole = begin(tmp_path, "a", 0), begin(tmp_path, "a", 1)
    (damaged / RUN_FILE).write_text((damaged / RUN_FILE).read_text()[:-20])
    for name in (TASKS_FILE, SUMMARY_FILE):
        (whole / name).write_text('{"half')
    ((run,),) = runs.runs_by_workload(tmp_path).values()
    assert (run.folder, run.tasks, run.summary) == (whole, None, None)


def test_a_run_of_an_earlier_version_keeps_its_schema_version_and_lacks_later_columns(tmp_path: Path) -> None:
    folder = begin(tmp_path, "a", 0)
    start = json.loads((folder / RUN_FILE).read_text()) | {"schema_version": 1}
    later = {"is_control", "until_precise", "thread_policy"} & start.keys()
    assert "until_precise" in later
    (folder / RUN_FILE).write_text(json.dumps({name: value for name, value in start.items() if name not in later}))
    ((run,),) = runs.runs_by_workload(tmp_path).values()
    assert (run.start.schema_version, run.start.until_precise) == (1, None)


def test_a_plan_reads_each_runs_beginning_once_and_only_the_newest_ends(tmp_path: Path, read: Counter[str]) -> None:
    names = [f"model-{number}" for number in range(3)]
    tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=[tiny.model_entry(name, "model") for name in names])
    for night in range(10):
        for name in names:
            folder = begin(tmp_path / "home" / "landing", name, night)
            summary = {"run_id": folder.name, "model": name, "suite": "tiny", "status": "completed", "reason": None}
            task = {"task": "tiny_one", "metric": "acc", "score": 1.0, "stderr": None, "documents": 1}
            task |= {"duration_s": 1.0, "energy_kwh": 1.0, "energy_method": "measured"}
            tasks = [task | {"tokens_prompt": 1, "tokens_generated": 1}]
            rest = {"duration_s": 1.0, "energy_kwh": 1.0, "tasks": tasks, "reused": [], "failures": {}}
            (folder / SUMMARY_FILE).write_text(json.dumps(summary | rest))
    planned = plan(load(tmp_path / "catalogue.yml"), tmp_path / "home")
    assert [run.expected_duration_s for run in planned] == [1.0] * 3
    assert read[RUN_FILE] == 30
    assert read[SUMMARY_FILE] == 3, "years of nights are not read"


def test_a_task_file_is_part_of_the_plan_of_its_own_suite_only(tmp_path: Path) -> None:
    path = tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=[tiny.model_entry("m", "model")])
    document = yaml.safe_load(path.read_text())
    document["suites"]["other"] = document["suites"]["tiny"] | {"include_path": "other_tasks"}
    document["models"][0]["suites"] = ["tiny", "other"]
    path.write_text(yaml.safe_dump(document))
    (tmp_path / "other_tasks").mkdir()

    def keys() -> dict[str, str]:
        planned = plan(load(path), tmp_path / "home")
        return {run.suite: run.plan_key for run in planned}

    before = keys()
    (tmp_path / "other_tasks" / "a_task.yaml").write_text("task: a_task")
    after = keys()
    assert (before["tiny"], before["other"] != after["other"]) == (after["tiny"], True)
