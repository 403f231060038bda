"""How long tasks will take, before the first one starts: as long as in an earlier run here, or else an upper bound from
the speed during warm-up and the allowed length of answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs

from evaluators.engines import Engine
from evaluators.engines.prefix_trie import Trie, key
from evaluators.harness.asking import requests_of
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.metered import MeteredLM, Speed
from evaluators.harness.outcomes import encoded_pair
from evaluators.landing.runs import runs_by_workload

_DOCUMENTS = 4  # of each task: their requests are built for the estimate


@dataclass(frozen=True, slots=True)
class Expected:
    """How long one evaluation of a task will take; None where that is unknown. `at_most`: an upper bound from the
    allowed length of answers, not an earlier measurement."""

    seconds: float | None
    at_most: bool


def expectations(
    tasks: Sequence[LoadedTask], seconds_a_document: dict[str, float], speed: Speed, lm: MeteredLM, engine: Engine
) -> dict[str, Expected]:
    """How long one evaluation of each task will take. `seconds_a_document`: of the tasks that were evaluated before."""
    expected = {}
    for task in tasks:
        try:
            requests = requests_of(task, lm, _DOCUMENTS)
            seconds = at_most_s(speed, requests, task.documents, min(_DOCUMENTS, task.documents), engine)
        except Exception:  # a document that cannot be asked fails its task in its own turn
            expected[task.name] = Expected(None, at_most=True)
            continue
        known = seconds_a_document.get(task.name)
        expected[task.name] = Expected(seconds if known is None else known * task.documents, at_most=known is None)
    return expected


def took_before(landing: Path, model: str, suite: str, machine_id: str) -> dict[str, float]:
    """Seconds per document of each task that a run of the model and suite finished on the machine; the newest run
    counts."""
    found: dict[str, float] = {}
    for run in runs_by_workload(landing).get((model, suite), ()):
        if run.start.machine_id == machine_id and run.summary is not None:
            found |= {task.task: task.duration_s / task.documents for task in run.summary.tasks}
    return found


def at_most_s(speed: Speed, requests: Sequence[Instance], documents: int, sampled: int, engine: Engine) -> float:
    """An upper bound for a task of `documents`, from the requests of `sampled` of them."""
    times = documents / max(sampled, 1)
    forwarded = list(_forwarded(requests, engine))
    read, once = sum(map(len, forwarded)), 0
    if engine.shares_prefixes:
        trie = Trie.of([key(tokens) for tokens in forwarded], [0] * len(forwarded))
        # The prefix that all requests share is read once per task, however many documents there are.
        read, once = len(trie.tokens), min((segment.depth for segment in trie.segments[1:]), default=0)
    generated = sum(_most_generated(request) for request in requests) * times
    return speed.at_most_s(once + (read - once) * times, generated)


def _forwarded(requests: Sequence[Instance], engine: Engine) -> Iterator[tuple[int, ...]]:
    """The sequences that lm-eval's `hf` forwards: choices that differ only in their last token share one."""
    seen = set()
    for request in requests:
        if request.request_type != "loglikelihood":
            yield tuple(engine.lm.tok_encode(request.args[0]))
            continue
        context, continuation = encoded_pair(request.args[0], request.args[1], engine.lm)
        tokens = (*context, *continuation[:-1])
        if tokens not in seen:
            seen.add(tokens)
            yield tokens


def _most_generated(request: Instance) -> int:
    if request.request_type != "generate_until":
        return 0
    return int(normalize_gen_kwargs(request.args[1])["max_gen_toks"])
