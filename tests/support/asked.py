"""A workplace with tasks of some hundred documents, and models of which it is known how they compare."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from evaluators.catalogue.entries import load
from evaluators.plan import PlannedRun, make_spec, plan
from evaluators.process.run import evaluate
from evaluators.spec import RunSpec
from evaluators.summary import RunSummary
from tests.support import tiny


def save(folder: Path, tasks: dict[str, int], suite: dict[str, Any], models: dict[str, dict[str, Any]]) -> None:
    """Tasks with so many documents each, and a suite of them. Of the models, `base` has all answers right, `same` gives
    the same answers, and `other` answers as it likes, which guessing is said to be far below."""
    tiny.save_model(folder / "base")
    tiny.save_model(folder / "same", rms_norm_eps=1.1e-6)  # other weights would be another fingerprint, too
    tiny.save_model(folder / "other", seed=7)
    for number, (task, documents) in enumerate(tasks.items()):
        save_task(folder, task, documents, seed=number)
    entries = [tiny.model_entry(name, name, **changes) for name, changes in models.items()]
    path = tiny.save_catalogue(folder, tasks=[{"task": name, "chance": 0.25} for name in tasks], models=entries)
    document = json.loads(path.read_text())
    document["suites"]["tiny"] |= suite
    path.write_text(json.dumps(document))


def save_task(folder: Path, task: str, documents: int, seed: int) -> None:
    """A multiple choice of which the model `base` knows all answers."""
    rng = random.Random(seed)
    questions = [" ".join(rng.choices(tiny.WORDS, k=6)) for _ in range(documents)]
    tiny.save_tasks(folder / "tasks", (task,), documents)
    path = folder / "tasks" / f"{task}.jsonl"
    golds = _answers(folder / "base", questions)
    path.write_text(
        "".join(
            json.dumps({"question": question, "choices": ["blue", "green"], "gold": gold}) + "\n"
            for question, gold in zip(questions, golds, strict=True)
        )
    )


def planned(folder: Path, model: str, **how: Any) -> PlannedRun:
    (found,) = plan(load(folder / "catalogue.yml"), folder / "home", models=[model], **how)
    return found


def spec(folder: Path, model: str, *, complete: bool = False, force: bool = False) -> RunSpec:
    catalogue = load(folder / "catalogue.yml")
    run = planned(folder, model, complete=complete, force=force)
    return make_spec(catalogue, run, folder / "home", complete=complete, force=force)


def run(folder: Path, model: str, **how: bool) -> RunSummary:
    return evaluate(spec(folder, model, **how))


def _answers(model: Path, questions: list[str]) -> list[int]:
    """Which choice the model takes, as lm-eval asks it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    choices = [tokenizer.convert_tokens_to_ids(word) for word in ("blue", "green")]
    with torch.inference_mode():
        found = [network(**tokenizer(question, return_tensors="pt")).logits[0, -1, choices] for question in questions]
    return [int(logits.argmax()) for logits in found]
