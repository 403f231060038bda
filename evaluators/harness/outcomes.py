"""What asking a task gave: scores and per-document samples, without lm-eval's string keys.

Does not belong here: asking it (`asking`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lm_eval.api.model import TemplateLM

from evaluators.harness.lm_eval_tasks import LoadedTask, TaskUnavailable


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one task. `stderr` is None where lm-eval has no estimate."""

    metric: str
    filter: str
    value: float
    stderr: float | None
    higher_is_better: bool


@dataclass(frozen=True, slots=True)
class Document:
    """One document's outcome under the primary metric; tokens as the model's tokenizer counts them."""

    document_id: int
    document_hash: str
    prompt_hash: str
    target_hash: str
    score: float | None
    requests: int
    tokens_prompt: int
    tokens_generated: int
    characters_generated: int | None
    target: str
    answer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The scores of a task, over the documents that were asked."""

    scores: tuple[Score, ...]
    documents: tuple[Document, ...]
    binary: bool

    @property
    def requests(self) -> int:
        return sum(document.requests for document in self.documents)

    @property
    def tokens_prompt(self) -> int:
        return sum(document.tokens_prompt for document in self.documents)

    @property
    def tokens_generated(self) -> int:
        return sum(document.tokens_generated for document in self.documents)


def document_of(sample: dict[str, Any], loaded: LoadedTask, lm: TemplateLM) -> Document:
    """A document from lm-eval's sample of it under the primary filter."""
    arguments, answers = sample["arguments"], [resps[0] for resps in sample["resps"]]
    generated = [answer for answer in answers if isinstance(answer, str)]
    if generated:
        answer = generated[0]
    elif loaded.task.OUTPUT_TYPE == "multiple_choice":
        best = max(range(len(answers)), key=lambda i: answers[i][0])
        answer = arguments[best][1]
    else:
        answer = json.dumps(answers[0])
    value = sample.get(loaded.metric)
    return Document(
        document_id=int(sample["doc_id"]),
        document_hash=sample["doc_hash"],
        prompt_hash=sample["prompt_hash"],
        target_hash=sample["target_hash"],
        score=float(value) if isinstance(value, int | float | np.number) else None,
        requests=len(arguments),
        tokens_prompt=sum(tokens_read(request, lm) for request in arguments),
        tokens_generated=sum(len(lm.tok_encode(text, add_special_tokens=False)) for text in generated),
        characters_generated=sum(map(len, generated)) if generated else None,
        target=str(sample["target"]),
        answer=str(answer),
    )


def outcome_of(results: dict[str, Any], documents: tuple[Document, ...], loaded: LoadedTask) -> Outcome:
    """The outcome from what lm-eval aggregated. Raises TaskUnavailable where the suite's metric is not among it."""
    scores = _scores(results, loaded.task.higher_is_better())
    if (loaded.metric, loaded.filter) not in {(score.metric, score.filter) for score in scores}:
        known = ", ".join(f"{score.metric},{score.filter}" for score in scores)
        raise TaskUnavailable(
            f"task {loaded.name} has no metric {loaded.metric},{loaded.filter}; "
            f"set the suite's `primary` to one of: {known}"
        )
    values = {document.score for document in documents}
    return Outcome(scores, documents, binary=loaded.binary if loaded.binary is not None else values <= {0.0, 1.0})


def tokens_read(arguments: Sequence[Any], lm: TemplateLM) -> int:
    """Tokens that an engine must read for a request: the context and, for log-likelihoods, the continuation."""
    if len(arguments) > 1 and isinstance(arguments[1], str):
        return sum(map(len, encoded_pair(arguments[0], arguments[1], lm)))
    return len(lm.tok_encode(arguments[0]))


def encoded_pair(context: str, continuation: str, lm: TemplateLM) -> tuple[Sequence[int], Sequence[int]]:
    """A log-likelihood's tokens as lm-eval requests them: an empty context becomes the model's prefix token, unless the
    continuation begins with it."""
    if context:
        return lm._encode_pair(context, continuation)
    tokens = lm.tok_encode(continuation, add_special_tokens=False)
    if tokens[:1] == [lm.prefix_token_id]:
        return tokens[:1], tokens[1:]
    return [lm.prefix_token_id], tokens


def _scores(results: dict[str, Any], higher_is_better: dict[str, Any]) -> tuple[Score, ...]:
    """lm-eval's `metric,filter` and `metric_stderr,filter` keys as rows."""
    scores = []
    for key, value in results.items():
        metric, _, filter_name = key.partition(",")
        if not filter_name or metric.endswith("_stderr") or not isinstance(value, int | float | np.number):
            continue
        if not math.isfinite(value):
            raise ValueError(f"its metric {key} is {value}, not a finite score; correct the metric or the documents")
        stderr = results.get(f"{metric}_stderr,{filter_name}")
        known = isinstance(stderr, int | float | np.number) and math.isfinite(stderr)
        scores.append(
            Score(
                metric=metric,
                filter=filter_name,
                value=float(value),
                stderr=float(stderr) if known else None,  # type: ignore[arg-type]
                higher_is_better=higher_is_better.get(metric) is not False,
            )
        )
    return tuple(scores)
