"""Metrics that should be low, and metrics whose scale the suite states, as the evaluator lands them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from evaluators.catalogue.entries import load
from evaluators.landing import bundles
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from evaluators.spec import suite_version
from evaluators.summary import RunSummary
from tests.support import tiny


def workplace(folder: Path) -> None:
    tiny.save_model(folder / "model")
    tiny.save_tasks(folder / "tasks", ("mistakes",))
    (folder / "tasks" / "helpers.py").write_text(
        "def mistakes(doc, results):\n"
        "    likelihoods = [r[0] for r in results]\n"
        "    return {'mistake': int(likelihoods.index(max(likelihoods)) != doc['gold'])}\n"
    )
    path = folder / "tasks" / "mistakes.yaml"
    metric = {"metric": "mistake", "aggregation": "mean", "higher_is_better": False}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metric_list": [metric], "process_results": "FUNCTION"}))
    tiny.use_function(folder / "tasks", "mistakes", "process_results", "helpers.mistakes")


def run(folder: Path, **entry: object) -> RunSummary:
    tiny.save_catalogue(
        folder, tasks=[{"task": "mistakes"} | entry], models=[tiny.model_entry("tiny-base", "model")], meter="none"
    )
    catalogue = load(folder / "catalogue.yml")
    (planned,) = plan(catalogue, folder / "home")
    assert planned.due
    return evaluate(make_spec(catalogue, planned, folder / "home"))


def test_a_document_without_a_mistake_is_correct(tmp_path: Path) -> None:
    workplace(tmp_path)
    summary = run(tmp_path, chance=0.5)
    assert summary.status == "completed", summary.failures
    (bundle,) = [b for b in bundles.bundles(tmp_path / "home" / "landing") if bundles.is_task_bundle(b.name)]
    (result,) = pq.read_table(bundle.files["task_results"]).to_pylist()
    samples = pq.read_table(bundle.files["samples"]).to_pylist()
    assert not result["higher_is_better"]
    assert 0 < result["value"] < 1
    assert [row["correct"] for row in samples] == [row["score"] == 0 for row in samples]
    assert result["is_chance_stated"]


def test_a_scale_is_stated_in_the_plan_and_nothing_is_asked_for_it(tmp_path: Path) -> None:
    workplace(tmp_path)
    first, unstated = run(tmp_path), suite_version(load(tmp_path / "catalogue.yml").suite("tiny"))
    second = run(tmp_path, scale=2)
    assert (second.status, second.tasks, second.reused) == ("completed", (), ("mistakes",))
    assert suite_version(load(tmp_path / "catalogue.yml").suite("tiny")) != unstated
    tasks = tmp_path / "home" / "landing"
    assert "scale" not in json.loads((tasks / first.run_id / bundles.TASKS_FILE).read_text())["mistakes"]
    assert json.loads((tasks / second.run_id / bundles.TASKS_FILE).read_text())["mistakes"]["scale"] == 2
