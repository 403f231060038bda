"""A task asked at once is lm-eval's own evaluation of it, and one asked in chunks is the same in the end."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.evaluator import evaluate

from evaluators import engines
from evaluators.catalogue.entries import load
from evaluators.energy import Ledger
from evaluators.energy.none import NoMeter
from evaluators.harness.asking import RESAMPLES, Asking, document_hashes, run_task
from evaluators.harness.interruption import Interrupted, Interruption
from evaluators.harness.lm_eval_tasks import Harness, LoadedTask, TaskUnavailable
from evaluators.harness.metered import MeteredLM
from evaluators.harness.outcomes import Outcome
from evaluators.process.until import as_json
from tests.support import tiny

SEED = 1234
DOCUMENTS = 9
CHOICE: dict[str, Any] = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{gold}}",
    "metric_list": [{"metric": "acc"}],
}
TEXT: dict[str, Any] = {
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{choices[gold]}}",
    "generation_kwargs": {"until": ["?"], "max_gen_toks": 6, "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
_FIRST = {"function": "take_first"}
_WORD = {"function": "regex", "regex_pattern": "(blue|green|red)", "group_select": -1}

# Every kind of task that lm-eval asks, as a task file.
KINDS: dict[str, dict[str, Any]] = {
    "choice": CHOICE
    | {"metric_list": [{"metric": name} for name in ("acc", "acc_norm", "acc_mutual_info", "brier_score")]},
    "bootstrapped": CHOICE | {"metric_list": [{"metric": "mcc"}]},
    "examples": CHOICE | {"num_fewshot": 3, "training_split": "train", "fewshot_split": "train"},
    "examples_of_its_own": CHOICE | {"num_fewshot": 2},
    "text": TEXT,
    "filters": TEXT
    | {"filter_list": [{"name": "word", "filter": [_WORD, _FIRST]}, {"name": "whole", "filter": [_FIRST]}]},
    "votes": TEXT
    | {
        "repeats": 3,
        "generation_kwargs": TEXT["generation_kwargs"] | {"do_sample": True, "temperature": 1.0},
        "filter_list": [
            {"name": "vote", "filter": [{"function": "majority_vote"}, _FIRST]},
            {"name": "first", "filter": [_FIRST]},
        ],
    },
    "rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{question}}",
        "metric_list": [{"metric": name} for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")],
    },
    "cloze": CHOICE
    | {
        "output_type": "loglikelihood",
        "doc_to_target": " {{choices[gold]}}",
        "metric_list": [{"metric": "perplexity"}, {"metric": "acc"}],
    },
    "chat": CHOICE | {"num_fewshot": 2, "description": "the colour of"},
    "both": TEXT | {"class": "!function both.Both"},
    "limited": CHOICE | {"num_fewshot": 2},
    "member": CHOICE,
}
SUITE: list[object] = [
    *(name for name in KINDS if name not in ("chat", "limited", "member", "both")),
    {"task": "chat", "apply_chat_template": True},
    {"task": "both", "primary": "acc"},
    {"task": "limited", "limit": 5},
    "group",
]
# A task that puts requests of two kinds to the model for each document.
BOTH = """
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask


class Both(ConfigurableTask):
    VERSION = 1

    def __init__(self, config):
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def construct_requests(self, doc, ctx, **kwargs):
        metadata = kwargs["metadata"]
        until = {"until": ["?"], "max_gen_toks": 4, "do_sample": False}
        return [
            Instance("generate_until", doc, (ctx, until), 0, metadata),
            Instance("loglikelihood", doc, (ctx, " " + doc["choices"][doc["gold"]]), 1, metadata),
        ]

    def process_results(self, doc, results):
        text, (likelihood, is_greedy) = results
        return {"acc": float("blue" in text), "likelihood": likelihood, "pair": (len(text), is_greedy)}

    def aggregation(self):
        return {"acc": lambda found: sum(found) / len(found), "likelihood": max, "pair": len}

    def higher_is_better(self):
        return {"acc": True, "likelihood": True, "pair": True}
"""


class Listening(MeteredLM):
    """Keeps what it was asked, and stops where it is told to."""

    def __init__(self, engine: engines.Engine) -> None:
        super().__init__(engine, Ledger(NoMeter()), Interruption(), lambda: None)
        self.asked: list[Instance] = []
        self.stop_at = -1

    def _answer(self, method: Callable[..., Any], requests: list[Instance]) -> Any:
        if any(request.doc_id == self.stop_at for request in requests):
            raise Interrupted("stopped")
        self.asked += requests
        return super()._answer(method, requests)


def save_tasks(folder: Path) -> None:
    for split, count in (("test", DOCUMENTS), ("train", 12)):
        lines = [
            {
                "question": f"what colour ? {tiny.WORDS[(i + len(split)) % 20]} {tiny.WORDS[i]}",
                "choices": ["blue", "green", "red"],
                "gold": i % 3,
                "odd": ["é", None, i / 3],
            }
            for i in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = {split: str(folder / f"{split}.jsonl") for split in ("test", "train")}
    for name, task in KINDS.items():
        source = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test"}
        text = json.dumps({"task": name, "metadata": {"version": 1.0}} | source | task)
        (folder / f"{name}.yaml").write_text(text.replace('"!function both.Both"', "!function both.Both"))
    (folder / "group.yaml").write_text(json.dumps({"group": "group", "task": ["member"]}))
    (folder / "both.py").write_text(BOTH)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asking")
    (folder / "tasks").mkdir()
    save_tasks(folder / "tasks")
    tiny.save_model(folder / "model", initializer_range=0.5)  # or it would give one answer to everything
    template = "{% for m in messages %}{{ m.content }} . {% endfor %}{% if add_generation_prompt %}: {% endif %}"
    (folder / "model" / "chat_template.jinja").write_text(template)
    tiny.save_catalogue(folder, tasks=SUITE, models=[tiny.model_entry("any", "model")])
    return folder


@pytest.fixture(scope="module")
def tasks(folder: Path) -> dict[str, LoadedTask]:
    suite = load(folder / "catalogue.yml").suite("tiny")
    tasks, failures = Harness(suite, folder, folder / "nltk").load(model_uses_template=False)
    assert failures == {}
    return {task.name: task for task in tasks}


@pytest.fixture(scope="module")
def engine(folder: Path) -> engines.Engine:
    """lm-eval's `hf`, one request at a time: what is asked beside it makes no difference, not even by rounding."""
    return engines.load("transformers", folder / "model", dtype="float32", device="cpu", batch_size=1)


def lm_evals_own(loaded: LoadedTask, lm: MeteredLM) -> dict[str, Any]:
    """The task in one call of lm-eval, which builds, asks, scores and aggregates."""
    random.seed(0)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    loaded.task.set_fewshot_seed(seed=SEED)
    results = evaluate(
        lm=lm,
        task_dict={"tasks": {loaded.name: loaded.task}, "groups": {}, "group_map": {}},
        limit=loaded.limit,
        bootstrap_iters=RESAMPLES,
        apply_chat_template=loaded.apply_chat_template,
        fewshot_as_multiturn=loaded.apply_chat_template,
    )
    assert results is not None
    return dict(results)


@pytest.mark.parametrize("name", KINDS)
def test_a_task_asked_at_once_is_lm_evals_own_evaluation(
    tasks: dict[str, LoadedTask], engine: engines.Engine, name: str
) -> None:
    task, theirs, ours = tasks[name], Listening(engine), Listening(engine)
    expected = lm_evals_own(task, theirs)
    outcome = run_task(task, ours, engine.lm, SEED)
    assert [(request.args, request.doc_id, request.idx) for request in ours.asked] == [
        (request.args, request.doc_id, request.idx) for request in theirs.asked
    ]
    scores = expected["results"][name]
    assert outcome.scores
    assert [f"{score.metric},{score.filter}" for score in outcome.scores] == [
        key for key, value in scores.items() if "," in key and "_stderr" not in key and isinstance(value, int | float)
    ]
    for score in outcome.scores:
        assert score.value == scores[f"{score.metric},{score.filter}"]
        stderr = scores[f"{score.metric}_stderr,{score.filter}"]
        assert score.stderr == (None if stderr == "N/A" else stderr)
        assert score.higher_is_better == expected["higher_is_better"][name][score.metric]
    samples = [sample for sample in expected["samples"][name] if sample["filter"] == task.filter]
    assert len(samples) == len(outcome.documents) == (5 if name == "limited" else DOCUMENTS)
    for document, sample in zip(outcome.documents, samples, strict=True):
        assert document.document_id == sample["doc_id"]
        for kind in ("doc", "prompt", "target"):
            hashed = document.document_hash if kind == "doc" else getattr(document, f"{kind}_hash")
            assert hashed == sample[f"{kind}_hash"]
        value = sample.get(task.metric)
        assert document.score == (value if isinstance(value, int | float | np.number) else None)
        assert document.target == str(sample["target"])
        texts = [answers[0] for answers in sample["resps"] if isinstance(answers[0], str)]
        assert not texts or document.answer == texts[0]
        assert document.requests == len(sample["arguments"])


@pytest.mark.parametrize("name", [name for name in KINDS if name != "votes"])  # of which each answer is drawn
def test_a_task_asked_in_chunks_is_the_same_in_the_end(
    tasks: dict[str, LoadedTask], engine: engines.Engine, name: str
) -> None:
    task, lm = tasks[name], Listening(engine)
    whole = run_task(task, lm, engine.lm, SEED)
    assert len({(document.answer, document.score) for document in whole.documents}) > 1
    requests = Counter(request.doc_id for request in lm.asked)
    lm.asked = []
    asking = Asking(task, lm, engine.lm, SEED)
    assert document_hashes(task) == [d.document_hash for d in whole.documents]
    places = random.Random(1).sample(asking.places, len(asking.places))
    for chunk in (places[:2], [], places[2:3], places[3:]):
        before = len(lm.asked)
        asking.ask(chunk)
        assert sorted({request.doc_id for request in lm.asked[before:]}) == sorted(chunk)
        assert all(asking.document(place) == whole.documents[place] for place in chunk)
    assert asking.outcome() == whole
    assert Counter(request.doc_id for request in lm.asked) == requests


@pytest.mark.parametrize("name", [name for name in KINDS if name != "votes"])
def test_answers_of_an_earlier_run_are_as_good_as_new_ones(
    tasks: dict[str, LoadedTask], engine: engines.Engine, name: str
) -> None:
    task, lm = tasks[name], Listening(engine)
    whole = run_task(task, lm, engine.lm, SEED)
    earlier = Asking(task, lm, engine.lm, SEED)
    asked = [place for place in (1, 4, 8) if place in earlier.places]
    earlier.ask(asked)
    landed = {place: (earlier.document(place), as_json(earlier.metrics(place))) for place in asked}
    later = Asking(task, lm, engine.lm, SEED)
    for document, metrics in landed.values():
        later.recall(document, json.loads(metrics))
    lm.asked = []
    later.ask([place for place in later.places if place not in landed])
    assert {request.doc_id for request in lm.asked} == set(later.places) - landed.keys()
    assert later.outcome() == whole


def test_requests_reach_the_model_in_the_datas_order(tasks: dict[str, LoadedTask], engine: engines.Engine) -> None:
    lm = Listening(engine)
    Asking(tasks["choice"], lm, engine.lm, SEED).ask([7, 2, 5])
    assert [request.doc_id for request in lm.asked] == sorted(request.doc_id for request in lm.asked)


@pytest.mark.parametrize("name", ["choice", "filters", "votes", "examples_of_its_own", "rolling"])
def test_a_parts_documents_are_those_of_the_whole_and_its_score_is_theirs(
    tasks: dict[str, LoadedTask], engine: engines.Engine, name: str
) -> None:
    task, lm = tasks[name], Listening(engine)
    whole = run_task(task, lm, engine.lm, SEED)
    asking = Asking(task, lm, engine.lm, SEED)
    asking.ask([8, 3])
    asking.ask([4])
    part = asking.outcome()
    assert [document.document_id for document in part.documents] == [3, 4, 8]
    if name != "votes":
        assert part.documents == tuple(whole.documents[place] for place in (3, 4, 8))
    assert [hashes(part, place) for place in (0, 1, 2)] == [hashes(whole, place) for place in (3, 4, 8)]
    if name != "rolling":
        primary = next(s for s in part.scores if (s.metric, s.filter) == (task.metric, task.filter))
        assert primary.value == pytest.approx(np.mean([document.score for document in part.documents]))


def hashes(outcome: Outcome, number: int) -> list[str]:
    """Of the document, of its prompt with the examples in it, and of its target."""
    document = outcome.documents[number]
    return [document.document_hash, document.prompt_hash, document.target_hash]


@pytest.mark.parametrize("name", ["choice", "filters"])
def test_a_document_is_scored_once(
    tasks: dict[str, LoadedTask], engine: engines.Engine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks[name]
    scored: list[str] = []
    original = task.task.process_results

    def counted(doc: dict[str, Any], results: Sequence[Any]) -> Any:
        scored.append(doc["question"])
        return original(doc, results)

    monkeypatch.setattr(task.task, "process_results", counted)
    asking = Asking(task, Listening(engine), engine.lm, SEED)
    for chunk in (range(4), range(4, DOCUMENTS)):
        asking.ask(chunk)
        assert all(asking.document(place).score is not None for place in chunk)
        asking.outcome()
    filters = 2 if name == "filters" else 1
    assert sorted(Counter(scored).values()) == [filters] * DOCUMENTS


def test_what_is_stopped_inside_a_chunk_keeps_the_chunks_before(
    tasks: dict[str, LoadedTask], engine: engines.Engine
) -> None:
    lm = Listening(engine)
    asking = Asking(tasks["both"], lm, engine.lm, SEED)
    asking.ask([0, 6])
    lm.stop_at = 3
    with pytest.raises(Interrupted):
        asking.ask([1, 3])
    assert [document.document_id for document in asking.outcome().documents] == [0, 6]


def test_several_tasks_are_asked_in_turns(tasks: dict[str, LoadedTask], engine: engines.Engine) -> None:
    lm = Listening(engine)
    names = ("examples", "filters", "rolling")
    whole = {name: run_task(tasks[name], lm, engine.lm, SEED) for name in names}
    asked = {name: Asking(tasks[name], lm, engine.lm, SEED) for name in names}
    for chunk in ([4, 0], [1, 2, 3, 5, 6, 7, 8]):
        for asking in asked.values():
            asking.ask(chunk)
    assert {name: asking.outcome() for name, asking in asked.items()} == whole


def test_a_metric_that_the_task_does_not_have_is_named_in_the_end(
    tasks: dict[str, LoadedTask], engine: engines.Engine
) -> None:
    asking = Asking(dataclasses.replace(tasks["choice"], metric="f1"), Listening(engine), engine.lm, SEED)
    asking.ask([0])
    with pytest.raises(TaskUnavailable, match="has no metric f1,none; set the suite's `primary` to one of: acc,none"):
        asking.outcome()


def test_a_document_that_asks_nothing_fails_its_task(
    tasks: dict[str, LoadedTask], engine: engines.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks["member"]
    original = task.task.construct_requests

    def nothing_for_one(doc: dict[str, Any], ctx: str, **kwargs: Any) -> Any:
        return original(doc, ctx, **kwargs) if kwargs["metadata"][1] != 4 else []

    monkeypatch.setattr(task.task, "construct_requests", nothing_for_one)
    with pytest.raises(ValueError, match="not enough values"):
        lm_evals_own(task, Listening(engine))
    with pytest.raises(ValueError, match="not enough values"):
        run_task(task, Listening(engine), engine.lm, SEED)
