"""The suite `mini` and the example's training lines: generated, the same each time, and apart from each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from lm_eval.utils import env

from evaluators.catalogue.entries import SuiteEntry, load
from evaluators.harness.lm_eval_tasks import Harness
from evaluators.tasks import generate

PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT / "examples"))


def test_the_committed_documents_are_what_the_seed_makes(tmp_path: Path) -> None:
    generate.write(tmp_path)
    for task in generate.TASKS:
        made, committed = (folder / f"{task}.jsonl" for folder in (tmp_path, generate.FOLDER))
        assert made.read_bytes() == committed.read_bytes(), "run: python -m evaluators.tasks.generate"


@pytest.mark.parametrize("task", generate.TASKS)
def test_a_task_has_two_hundred_different_documents(task: str) -> None:
    questions = [document["question"] for document in generate.documents(task)]
    assert len(questions) == len(set(questions)) >= 200


def test_lm_eval_finds_all_tasks_wherever_the_process_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    suite: SuiteEntry = load(PROJECT / "catalogue.yml").suite("mini")
    tasks, failures = Harness(suite, PROJECT, tmp_path / "nltk").load(model_uses_template=False)
    assert failures == {}
    assert len(tasks) == 6
    assert all(len(task.task.eval_docs) == 200 for task in tasks)
    chances = {task.name: task.chance for task in tasks}
    assert chances["mini_boolean"] == pytest.approx(1 / 2)
    assert chances["mini_short_answers"] == 0


def test_a_template_is_compiled_once_for_all_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, _ = Harness(load(PROJECT / "catalogue.yml").suite("mini"), PROJECT, tmp_path / "nltk").load(False)
    compiled: list[object] = []
    compile_template = env.compile
    monkeypatch.setattr(
        env, "compile", lambda *args, **names: compiled.append(args) or compile_template(*args, **names)
    )
    for loaded in tasks:
        loaded.task.build_all_requests(limit=20)
    assert len(compiled) == len(set(compiled))


def test_no_training_line_is_a_document_of_mini() -> None:
    import short_answers

    asked = {json.loads(line)["question"] for file in generate.FOLDER.iterdir() for line in file.open(encoding="utf-8")}
    trained = [question for question, _ in short_answers.lines()]
    assert len(trained) == len(set(trained)) > 200
    assert not asked & set(trained)


@pytest.mark.parametrize(
    ("answer", "found", "exact"),
    [("Madrid", 1, 1), ("The capital of Spain is Madrid. It is large.", 1, 0), ("Paris", 0, 0), ("Madridista", 0, 0)],
)
def test_a_short_answer_is_judged_by_its_first_sentence(answer: str, found: float, exact: float) -> None:
    from evaluators.tasks import judge

    assert judge.short_answer({"answer": "Madrid"}, [answer]) == {"answer_found": found, "exact_match": exact}


@pytest.mark.parametrize(
    ("form", "argument", "good", "bad"),
    [
        ("contains", "red", "A red car.", "A reddish car."),
        ("sentences", "1", "A car is red.", "A car. It is red."),
        ("yes_or_no", "x", "No, it is not.", "It is not."),
        ("uppercase", "red", "RED", "Red"),
        ("repeats", "red 2", "red, red", "red"),
        ("quoted", "red", 'It is "red".', "It is red."),
    ],
)
def test_an_instruction_is_checked_by_its_form(form: str, argument: str, good: str, bad: str) -> None:
    from evaluators.tasks import judge

    document = {"form": form, "argument": argument}
    assert judge.instruction(document, [good]) == {"followed": 1.0}
    assert judge.instruction(document, [bad]) == {"followed": 0.0}
