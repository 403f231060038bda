"""Documents that cannot be asked fail their task in one sentence; what lm-eval warns about is said once."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

from evaluators.catalogue.entries import load
from evaluators.harness import complaints
from evaluators.harness.lm_eval_tasks import Harness
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from evaluators.summary import RunSummary
from tests.support import tiny

GOOD = {"question": "what colour is sky ?", "choices": ["blue", "green"], "gold": 0}
REMEDY = "; correct the document, or the task file"


def save_task(folder: Path, documents: list[dict[str, Any]], **changes: object) -> Path:
    """A task `tiny_one` of these documents, and `tiny_two`, which is as it should be."""
    tiny.save_model(folder / "model")
    tiny.save_tasks(folder / "tasks", ("tiny_one", "tiny_two"))
    (folder / "tasks" / "tiny_one.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    path = folder / "tasks" / "tiny_one.yaml"
    # Fields as they are, so that a label stays a number and choices a list.
    fields = {"doc_to_choice": "choices", "doc_to_target": "gold"} | changes
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    entry = tiny.model_entry("tiny-base", "model")
    tiny.save_catalogue(folder, tasks=["tiny_one", "tiny_two"], models=[entry])
    return folder


def evaluated(folder: Path) -> RunSummary:
    catalogue = load(folder / "catalogue.yml")
    return evaluate(make_spec(catalogue, plan(catalogue, folder / "home")[0], folder / "home"))


@pytest.mark.parametrize(
    ("documents", "changes", "words"),
    [
        ([GOOD, GOOD, {**GOOD, "choices": []}], {}, "document 2 (counted from 0): no choices (doc_to_choice gives [])"),
        ([GOOD, {**GOOD, "choices": None}], {}, "document 1 (counted from 0): no choices (doc_to_choice gives None)"),
        ([GOOD, {**GOOD, "gold": None}], {}, "document 1 (counted from 0): no label (it is None)"),
        (
            [GOOD, {**GOOD, "colour": "red"}],
            {"doc_to_target": "{{choices.index(colour or 'blue')}}"},
            "document 1 (counted from 0), doc_to_target: ValueError: 'red' is not in list",
        ),
        # lm-eval does not even load a task whose first document is one of these.
        ([{**GOOD, "choices": []}, GOOD], {}, "document 0 (counted from 0): no choices (doc_to_choice gives [])"),
        (
            [{**GOOD, "choices": [1, 2]}],
            {},
            "document 0 (counted from 0): a choice that is not text (doc_to_choice gives 1)",
        ),
        (
            [{**GOOD, "gold": 5}, GOOD],
            {},
            "document 0 (counted from 0): the label 5 (doc_to_target) is not one of",
        ),
        ([{**GOOD, "choices": ["", "blue"]}], {}, "document 0 (counted from 0): an empty choice (doc_to_choice)"),
        (
            [GOOD],
            {"doc_to_text": "{{colour}}"},
            "document 0 (counted from 0), doc_to_text: UndefinedError: 'colour' is",
        ),
    ],
)
def test_a_document_that_cannot_be_scored_fails_its_task_before_the_model_is_asked(
    tmp_path: Path, documents: list[dict[str, Any]], changes: dict[str, object], words: str
) -> None:
    catalogue = load(save_task(tmp_path, documents, **changes) / "catalogue.yml")
    tasks, failures = Harness(catalogue.suite("tiny"), tmp_path, tmp_path / "nltk").load(model_uses_template=False)
    assert [task.name for task in tasks] == ["tiny_two"]
    assert words in failures["tiny_one"]
    assert failures["tiny_one"].endswith(REMEDY)


def test_an_aggregation_that_lm_eval_does_not_know_is_said_before_the_model_is_asked(tmp_path: Path) -> None:
    metric = {"metric": "mcc", "aggregation": "mcc", "higher_is_better": True}
    summary = evaluated(save_task(tmp_path, [GOOD], metric_list=[metric]))
    assert "lm-eval does not know the aggregation of mcc; use one" in summary.failures["tiny_one"]
    assert [task.task for task in summary.tasks] == ["tiny_two"]


def test_a_document_that_only_building_its_requests_finds_fails_its_task_alone(tmp_path: Path) -> None:
    """A list is not a prompt, which lm-eval notices when it builds the requests, first those of the estimate."""
    documents = [{**GOOD, "question": ["what", "colour"]}] * 2
    summary = evaluated(save_task(tmp_path, documents, doc_to_text="question"))
    assert [task.task for task in summary.tasks] == ["tiny_two"]
    assert summary.failures["tiny_one"].startswith(
        "document 0 (counted from 0): AssertionError: Context is not a string"
    )


@pytest.mark.parametrize("gold", [[0, 7, 1, 9], [0, -1, 1, -1]])
def test_a_label_outside_the_choices_is_scored_as_lm_eval_does_and_said_once(
    tmp_path: Path, gold: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    """lm-eval counts such a document as wrong: above the choices with a warning, below zero without a word."""
    summary = evaluated(save_task(tmp_path, [{**GOOD, "gold": label} for label in gold]))
    (score,) = [task.score for task in summary.tasks if task.task == "tiny_one"]
    assert score == 0.25  # the same question four times: either 0 or 1 is right once
    said = [
        line for line in capfd.readouterr().err.splitlines() if "2 times, first at document 1 (counted from 0)" in line
    ]
    words = "lm-eval, 2 times, first at document 1 (counted from 0): Label index was not in within range of available"
    if min(gold) < 0:
        words = "2 times, first at document 1 (counted from 0): the label -1 is not one of the 2 choices, so no answer"
    assert len(said) == 1
    assert said[0].startswith(f"tiny_one: {words}")


def test_a_repetition_does_not_say_it_again_and_secrets_stay_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_the_test")
    save_task(tmp_path, [GOOD, {**GOOD, "gold": 7}])
    path = tmp_path / "catalogue.yml"
    document = json.loads(path.read_text())
    document["suites"]["tiny"]["repetitions"] = 3
    path.write_text(json.dumps(document))
    tiny.use_function(tmp_path / "tasks", "tiny_two", "aggregation", "loud.mean")
    (tmp_path / "tasks" / "loud.py").write_text(
        "import logging, os\n"
        "def mean(values):\n"
        "    logging.getLogger('lm_eval.loud').warning('my token is %s', os.environ['HF_TOKEN'])\n"
        "    return sum(values) / len(values)\n"
    )
    assert evaluated(tmp_path).status == "completed"
    said = capfd.readouterr().err
    assert said.count("Label index was not in within range") == 1
    assert said.count("lm-eval: my token is [redacted]") == 1
    assert "hf_secret" not in said


def test_a_prompt_that_is_cut_is_said_by_every_engine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    long = {**GOOD, "question": "what colour is sky ? " * 200}
    save_task(tmp_path, [GOOD, long, long])
    entries = [tiny.model_entry(name, "model", engine=name) for name in ("shared-prefix", "transformers")]
    tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=entries)
    catalogue = load(tmp_path / "catalogue.yml")
    for planned in plan(catalogue, tmp_path / "home"):
        evaluate(make_spec(catalogue, planned, tmp_path / "home"))
        said = capfd.readouterr().err
        assert said.count("exceeds model's maximum length (512)") == 1


def test_the_default_suite_is_loaded_without_a_word(tmp_path: Path) -> None:
    project = Path(__file__).parents[2]
    heard = complaints.Warnings()
    with heard.listening():
        Harness(load(project / "catalogue.yml").suite("mini"), project, tmp_path).load(model_uses_template=True)
    assert heard.take("mini") == []


def test_warnings_are_heard_only_while_listening() -> None:
    heard = complaints.Warnings()
    with heard.listening():
        for number in range(3):
            logging.getLogger("lm_eval.models").warning("cut to %d", number)
    logging.getLogger("lm_eval.models").warning("nobody listens")
    assert heard.take("here") == ["here: lm-eval, 3 times: cut to 0"]
    assert heard.take("here") == []


def test_what_a_librarys_next_version_drops_is_no_news_for_a_user() -> None:
    heard = complaints.Warnings()
    with heard.listening():
        warnings.simplefilter("always")
        warnings.warn("renamed in the next version", FutureWarning, stacklevel=1)
        warnings.warn("the answers are cut", UserWarning, stacklevel=1)
    assert heard.take("here") == ["here: UserWarning: the answers are cut"]
