"""30. One bad document in a task: that task fails, the run's other tasks are kept. lm-eval alone discards them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager

from evaluators.catalogue.entries import load
from evaluators.plan import plan
from tests.support.evaluations import evaluate_all, rows, save_workplace, specs

TASKS = ("tiny_one", "tiny_two", "tiny_three")


@pytest.fixture(params=[[], None, "blue"], ids=["no choice", "null", "a letter each"])
def workplace(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The second task's fourth document has other choices than a question can have."""
    save_workplace(tmp_path, *TASKS)
    path = tmp_path / "tasks" / "tiny_two.jsonl"
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    (tmp_path / "mended.jsonl").write_text(path.read_text())
    documents[3]["choices"] = request.param
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return tmp_path


def test_the_task_fails_and_the_others_are_kept(workplace: Path) -> None:
    (summary,) = evaluate_all(workplace)
    assert summary.status == "failed"
    assert [task.task for task in summary.tasks] == ["tiny_one", "tiny_three"]
    assert set(summary.failures) == {"tiny_two"}
    assert summary.failures["tiny_two"]
    (run,) = rows(workplace, "evaluation_runs")
    assert (run["status"], run["tasks_evaluated"], run["tasks_failed"]) == ("failed", 2, 1)
    assert json.loads(run["task_failures_json"]) == summary.failures
    for table in ("task_results", "samples", "task_emissions"):
        assert {row["task"] for row in rows(workplace, table)} - {""} == {"tiny_one", "tiny_three"}


def test_only_the_failed_task_is_due_and_it_is_asked_again_when_mended(workplace: Path) -> None:
    evaluate_all(workplace)
    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "data")
    assert (planned.due, planned.tasks_done) == (True, 2)
    (workplace / "mended.jsonl").rename(workplace / "tasks" / "tiny_two.jsonl")
    (summary,) = evaluate_all(workplace)
    assert (summary.status, [task.task for task in summary.tasks]) == ("completed", ["tiny_two"])
    assert specs(workplace) == []


def test_lm_eval_alone_discards_all_tasks(workplace: Path) -> None:
    manager = TaskManager(include_path=str(workplace / "tasks"), include_defaults=False)
    arguments = f"pretrained={workplace / 'base'},dtype=float32"
    with pytest.raises((IndexError, KeyError, TypeError, ValueError, ZeroDivisionError)):
        simple_evaluate("hf", arguments, tasks=list(TASKS), task_manager=manager, device="cpu", batch_size=4)
