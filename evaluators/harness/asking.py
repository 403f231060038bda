"""Asks one task with lm-eval, all of it at once or chunk by chunk.

Prompts are built once, for the whole task: lm-eval's own way of asking some documents (`samples=`) gives them other
few-shot examples. A chunk is one call of lm-eval's `evaluate`, which puts its requests to the model and scores each
document once; the task's scores are aggregated at the end, over all documents that were asked.

In a single call for several tasks lm-eval would merge their requests, write at the very end, and lose everything to one
bad document. Does not belong here: loading tasks (`lm_eval_tasks`), in which order documents are asked (`order`), and
what lm-eval's results mean (`outcomes`).
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, TemplateLM
from lm_eval.api.task import Task
from lm_eval.evaluator import evaluate
from lm_eval.evaluator_utils import _compute_task_aggregations
from lm_eval.utils import handle_non_serializable, hash_string

from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.outcomes import Document, Outcome, document_of, outcome_of

RANDOM_SEED = 0  # of Python's own generator, as lm-eval's command line sets it
# For bootstrapped standard errors, which are then accurate to 2 %. With lm-eval's default of 100,000, mcc takes minutes
# for eight documents, in forked processes; 1,000 are one of its chunks, so more processes would gain nothing.
RESAMPLES = 1000


class Asking:
    """One task that is being asked. `places`: of all its documents in the data, which become their document_id. Raises
    whatever the task's code raises."""

    def __init__(self, loaded: LoadedTask, lm: LM, tokenizer: TemplateLM, seed: int) -> None:
        random.seed(RANDOM_SEED)
        np.random.seed(seed)
        torch.manual_seed(seed)
        loaded.task.set_fewshot_seed(seed=seed)
        self.places = range(loaded.documents)
        self._loaded = loaded
        self._lm = lm
        self._tokenizer = tokenizer
        self._requests: defaultdict[int, list[Instance]] = defaultdict(list)
        for request in _built(loaded, lm, loaded.limit):
            self._requests[request.doc_id].append(request)
        self._documents: dict[int, Document] = {}
        self._metrics: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)  # by filter and place

    @property
    def requests(self) -> list[Instance]:
        """All requests of the task, in the data's order."""
        return [request for place in self.places for request in self._requests[place]]

    def ask(self, places: Collection[int]) -> None:
        """Ask the documents in these places, none of which was asked before, and score the answers. Requests reach the
        model in the data's order. Where it raises, none of these documents counts as asked."""
        if not places:
            return
        task, name = self._loaded.task, self._loaded.name
        chunk = _Chunk(task, {place: self._requests[place] for place in sorted(places)})
        tasks: Any = {"tasks": {name: chunk}, "groups": {}, "group_map": {}}
        results = evaluate(lm=self._lm, task_dict=tasks, bootstrap_iters=0)
        if results is None:
            raise RuntimeError("lm-eval returned nothing; only one process may evaluate")
        samples = results["samples"][name]
        primary = [sample for sample in samples if sample["filter"] == self._loaded.filter]
        self._documents |= {sample["doc_id"]: document_of(sample, self._loaded, self._tokenizer) for sample in primary}
        for sample in samples:
            self._metrics[sample["filter"]][sample["doc_id"]] = {key: sample[key] for key in sample["metrics"]}

    def recall(self, document: Document, metrics: Mapping[str, Mapping[str, Any]]) -> None:
        """Take a document as asked whose answer is known from an earlier run; `metrics` as `metrics` returned them."""
        self._documents[document.document_id] = document
        for filter_name, values in metrics.items():
            self._metrics[filter_name][document.document_id] = dict(values)

    def document(self, place: int) -> Document:
        """A document that was asked."""
        return self._documents[place]

    def metrics(self, place: int) -> dict[str, dict[str, Any]]:
        """What lm-eval has for a document that was asked, by filter and metric: all that the task's scores need."""
        return {filter_name: of_place[place] for filter_name, of_place in self._metrics.items() if place in of_place}

    def outcome(self) -> Outcome:
        """Of all documents that were asked so far."""
        os.environ["DISABLE_MULTIPROC"] = "1"  # makes lm-eval bootstrap in this process
        values: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for filter_name, metrics in self._metrics.items():
            for place in sorted(metrics):
                for metric, value in metrics[place].items():
                    values[metric, filter_name].append(value)
        results, _ = _compute_task_aggregations(self._loaded.task, values, RESAMPLES)
        documents = tuple(self._documents[place] for place in sorted(self._documents))
        return outcome_of(results, documents, self._loaded)


def run_task(loaded: LoadedTask, lm: LM, tokenizer: TemplateLM, seed: int) -> Outcome:
    """Ask all documents of a task at once. Raises whatever the task's code raises."""
    asking = Asking(loaded, lm, tokenizer, seed)
    asking.ask(asking.places)
    return asking.outcome()


def requests_of(loaded: LoadedTask, lm: LM, documents: int) -> list[Instance]:
    """The requests of the task's first documents, to estimate how long it will take."""
    return list(_built(loaded, lm, min(documents, loaded.documents)))


class _Chunk:
    """A task as `evaluate` sees it where some of its documents are asked. Everything else is the task's."""

    def __init__(self, task: Task, requests: Mapping[int, Sequence[Instance]]) -> None:
        self._task = task
        self._places = list(requests)
        self.instances = [request for of_document in requests.values() for request in of_document]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def build_all_requests(self, **_: Any) -> None:
        """They are built already."""

    def doc_iterator(self, **_: Any) -> Iterator[tuple[int, Any]]:
        documents = self._task.eval_docs
        return ((place, documents[place]) for place in self._places)

    def apply_filters(self) -> None:
        self._task._instances = self.instances
        self._task.apply_filters()

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float]]:
        """Scores are of the whole, not of a chunk."""
        return defaultdict(lambda: len)


def _built(loaded: LoadedTask, lm: LM, limit: int | None) -> Sequence[Instance]:
    """The requests of the task's first documents, or of all."""
    loaded.task.build_all_requests(
        limit=limit,
        rank=0,
        world_size=1,
        apply_chat_template=loaded.apply_chat_template,
        fewshot_as_multiturn=loaded.apply_chat_template,
        chat_template=lm.apply_chat_template if loaded.apply_chat_template else None,
        tokenizer_name=lm.tokenizer_name if loaded.apply_chat_template else "",
    )
    return loaded.task.instances


def document_hashes(loaded: LoadedTask) -> list[str]:
    """Of all documents of a task, in the data's order, as lm-eval hashes a document once it is scored."""
    documents = [loaded.task.eval_docs[place] for place in range(loaded.documents)]
    return [
        hash_string(json.dumps(document, indent=2, default=handle_non_serializable, ensure_ascii=False))
        for document in documents
    ]
