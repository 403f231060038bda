"""Answers that an earlier engine gave wrongly are due again, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.catalogue.entries import load
from evaluators.engines import compatibility
from evaluators.engines.tree_attention import Step
from evaluators.plan import PlannedRun, make_spec, plan
from evaluators.process.run import evaluate
from evaluators.summary import RunSummary
from tests.support import tiny, tiny_models

TASKS = ["tiny_one", "tiny_two"]


def planned(folder: Path) -> PlannedRun:
    (run,) = plan(load(folder / "catalogue.yml"), folder / "home")
    return run


def evaluated(folder: Path) -> RunSummary:
    return evaluate(make_spec(load(folder / "catalogue.yml"), planned(folder), folder / "home"))


@pytest.mark.parametrize("architecture", ["diffllama", "llama"])
def test_what_was_answered_wrongly_is_answered_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    tiny_models.save(tmp_path / "model", architecture)
    tiny.save_tasks(tmp_path / "tasks", tuple(TASKS))
    tiny.save_catalogue(tmp_path, tasks=list(TASKS), models=[tiny.model_entry("tiny-base", "model")], meter="none")
    with monkeypatch.context() as before:  # as the engine was
        before.setattr(Step, "enter", lambda step, layer: None)
        before.setattr(compatibility, "differs", lambda model, asked: None)
        evaluated(tmp_path)
    run = planned(tmp_path)
    if architecture == "llama":
        assert not run.due
        return
    assert (run.due, run.tasks_done) == (True, 0)
    assert "shared-prefix answered DiffLlamaForCausalLM wrongly: it overwrote" in run.reason
    assert [task.task for task in evaluated(tmp_path).tasks] == TASKS
    run = planned(tmp_path)
    assert (run.due, run.tasks_done) == (False, 2)
    assert evaluated(tmp_path).reused == tuple(TASKS)
