"""What makes a model another model, and what an upgrade accepts of the evaluations that were landed before."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluators.catalogue.entries import load
from evaluators.landing import bundles
from evaluators.landing.runs import model_key
from evaluators.models.sources import prepare
from evaluators.plan import PlannedRun, make_spec, plan
from evaluators.process import run
from evaluators.summary import RunSummary
from tests.support import tiny

Evaluate = Callable[[], RunSummary]
FILE = Path("model/tokenizer.json")


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    tiny.save_model(tmp_path / "model")
    tiny.save_tasks(tmp_path / "tasks")
    save_catalogue(tmp_path, "tiny_one", "tiny_two")
    age(tmp_path / "model")
    return tmp_path


def save_catalogue(workplace: Path, *tasks: object, **changes: object) -> None:
    tiny.save_catalogue(workplace, tasks=list(tasks), models=[tiny.model_entry("tiny-base", "model", **changes)])


def age(folder: Path) -> None:
    """Let the folder's files be an hour old."""
    for path in folder.iterdir():
        os.utime(path, (then := time.time() - 3600, then))


def planned(workplace: Path) -> PlannedRun:
    return plan(load(workplace / "catalogue.yml"), workplace / "home")[0]


def evaluate(workplace: Path, *, force: bool = False) -> RunSummary:
    catalogue = load(workplace / "catalogue.yml")
    return run.evaluate(make_spec(catalogue, planned(workplace), workplace / "home", force=force))


def evaluate_as_0_1_0(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> RunSummary:
    """As the version did whose fingerprints and keys cover weights and configuration only."""
    with monkeypatch.context() as patch:
        patch.setattr(run, "prepare", lambda *where: dataclasses.replace(prepare(*where), beside=None, loose=()))
        summary = evaluate(workplace)
    file = workplace / "home" / "landing" / summary.run_id / bundles.RUN_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": 3}))
    return summary


def asked(summary: RunSummary) -> list[str]:
    return [task.task for task in summary.tasks]


def keys(workplace: Path) -> list[str | None]:
    """The models' keys of the runs that loaded one, oldest first."""
    folders = sorted((workplace / "home" / "landing").iterdir())
    return [key for key in (model_key(folder.parent, folder.name) for folder in folders) if key]


def correct(file: Path) -> None:
    """Let texts be split elsewhere: the vocabulary stays."""
    text = file.read_text()
    file.write_text(text.replace('"type": "Whitespace"', '"type": "WhitespaceSplit"'))
    assert file.read_text() != text


def test_a_corrected_tokenizer_is_another_model_and_a_touched_one_is_not(workplace: Path) -> None:
    evaluate(workplace)
    os.utime(workplace / FILE)
    assert planned(workplace).due
    assert asked(evaluate(workplace)) == []
    assert not planned(workplace).due
    correct(workplace / FILE)
    assert planned(workplace).due
    assert asked(evaluate(workplace)) == ["tiny_one", "tiny_two"]
    assert len(set(keys(workplace))) == 2
    assert not planned(workplace).due


def added_tokens(folder: Path) -> None:
    (folder / "added_tokens.json").write_text('{"<new>": 27}')


def other_start_token(folder: Path) -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"add_bos_token": True}))


def generation_config(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"repetition_penalty": 1.5}')


@pytest.mark.parametrize("change", [added_tokens, other_start_token, generation_config])
def test_what_changes_answers_makes_the_tasks_due(workplace: Path, change: Callable[[Path], None]) -> None:
    evaluate(workplace)
    change(workplace / "model")
    assert asked(evaluate(workplace)) == ["tiny_one", "tiny_two"]


def test_a_chat_template_is_part_of_the_tasks_that_apply_it(workplace: Path) -> None:
    (workplace / "model" / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }} {% endfor %}")
    save_catalogue(workplace, {"task": "tiny_one", "apply_chat_template": True}, "tiny_two")
    evaluate(workplace)
    (workplace / "model" / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }} . {% endfor %}")
    assert asked(evaluate(workplace)) == ["tiny_one"]
    config = json.loads((workplace / "model" / "tokenizer_config.json").read_text())
    (workplace / "model" / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": "{{ messages }}"}))
    assert asked(evaluate(workplace)) == []  # the file takes precedence over the text


def test_an_upgrade_evaluates_nothing_where_nothing_changed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate_as_0_1_0(workplace, monkeypatch)
    assert not planned(workplace).due
    save_catalogue(workplace, "tiny_one", "tiny_two", "tiny_three")
    assert asked(evaluate(workplace)) == ["tiny_three"]
    assert len(set(keys(workplace))) == 1
    assert asked(evaluate(workplace)) == []
    assert asked(evaluate(workplace, force=True)) == ["tiny_one", "tiny_two", "tiny_three"]
    assert len(set(keys(workplace))) == 1


def test_an_upgrade_asks_again_what_was_answered_before_a_change(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    evaluate_as_0_1_0(workplace, monkeypatch)
    correct(workplace / FILE)
    assert asked(evaluate_as_0_1_0(workplace, monkeypatch)) == []  # as it was: the change is not seen
    due = planned(workplace)
    assert (due.due, due.tasks_done) == (True, 0)
    assert "model/tokenizer.json was changed on" in due.reason
    capfd.readouterr()
    assert asked(evaluate(workplace)) == ["tiny_one", "tiny_two"]
    assert "evaluated again: model/tokenizer.json was changed on" in capfd.readouterr().err
    assert len(set(keys(workplace))) == 2
    assert not planned(workplace).due


def test_only_what_was_answered_before_a_change_is_asked_again(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_as_0_1_0(workplace, monkeypatch)
    correct(workplace / FILE)
    save_catalogue(workplace, "tiny_one", "tiny_two", "tiny_three")
    assert asked(evaluate_as_0_1_0(workplace, monkeypatch)) == ["tiny_three"]
    assert "tiny_one, tiny_two were evaluated" in planned(workplace).reason
    assert asked(evaluate(workplace)) == ["tiny_one", "tiny_two"]
    assert len(set(keys(workplace))) == 1


def test_another_vocabulary_is_another_model_however_old_its_file_says_it_is(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    evaluate_as_0_1_0(workplace, monkeypatch)
    (workplace / FILE).write_text((workplace / FILE).read_text().replace('"green"', '"verte"'))
    age(workplace / "model")
    assert asked(evaluate(workplace)) == ["tiny_one", "tiny_two"]
    assert "had a different tokenizer or chat template" in capfd.readouterr().err


def test_a_folder_under_another_name_is_still_the_model(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate_as_0_1_0(workplace, monkeypatch)
    models = [tiny.model_entry("renamed", "model", suites=["tiny"])]
    tiny.save_catalogue(workplace, tasks=["tiny_one", "tiny_two", "tiny_three"], models=models)
    assert asked(evaluate(workplace)) == ["tiny_three"]
    assert len(set(keys(workplace))) == 1


TEMPLATES: dict[str, tuple[str | None, str]] = {
    "missing": (None, "the model has no chat template"),
    "not Jinja": ("{% for m in messages %}{{ m.content }}", "fails on a simple conversation"),
    "refuses users": ("{{ raise_exception('only the system may speak') }}", "only the system may speak"),
    "says nothing": ("{% for m in messages %}{% endfor %}", "omits the user's message"),
}


@pytest.mark.parametrize(("template", "reason"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_chat_template_that_cannot_be_applied_is_said_once_before_loading(
    workplace: Path, capfd: pytest.CaptureFixture[str], template: str | None, reason: str
) -> None:
    if template is not None:
        (workplace / "model" / "chat_template.jinja").write_text(template)
    chat: dict[str, Any] = {"apply_chat_template": True}
    save_catalogue(workplace, "tiny_one", {"task": "tiny_two"} | chat, {"task": "tiny_three"} | chat)
    summary = evaluate(workplace)
    assert asked(summary) == ["tiny_one"]
    assert summary.failures.keys() == {"tiny_two", "tiny_three"}
    assert all(reason in why for why in summary.failures.values())
    said = capfd.readouterr().err
    assert said.count(reason) == 1
    assert said.index(reason) < said.index("tiny_one: acc")


def test_a_template_that_takes_no_answers_serves_tasks_without_shots(workplace: Path) -> None:
    template = "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('no') }}{% endif %}{{ m.content }}"
    (workplace / "model" / "chat_template.jinja").write_text(template + "{% endfor %}")
    save_catalogue(workplace, "tiny_one", {"task": "tiny_two", "num_fewshot": 1}, chat_template=True)
    summary = evaluate(workplace)
    assert (asked(summary), list(summary.failures)) == (["tiny_one"], ["tiny_two"])


QUANTIZED: dict[str, dict[str, object]] = {
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True},
    "gptqmodel": {"quant_method": "gptq", "bits": 4},
    "compressed-tensors": {"quant_method": "compressed-tensors", "config_groups": {}},
    "auto-round": {"quant_method": "auto-round", "bits": 4},
    "of_our_own": {"quant_method": "of_our_own"},
}


@pytest.mark.parametrize(("package", "config"), QUANTIZED.items(), ids=QUANTIZED)
def test_quantized_weights_name_the_package_that_reads_them(
    workplace: Path, package: str, config: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    file = workplace / "model" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"quantization_config": config}))
    summary = evaluate(workplace)
    assert summary.status == "failed"
    assert summary.reason is not None
    assert "tiny-base: its weights are quantized" in summary.reason
    assert package in summary.reason
    assert "\n" not in summary.reason
    assert "Traceback" not in capfd.readouterr().err
