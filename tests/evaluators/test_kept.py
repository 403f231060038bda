"""A task that is asked in chunks costs hardly more tokens than in one call, and its answers are the same."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lm_eval.api.instance import Instance

from evaluators import engines
from evaluators.catalogue.entries import SuiteEntry
from evaluators.engines import TokenCounts
from evaluators.engines.memory import Memory
from evaluators.engines.shared_prefix import SharedPrefixLM
from evaluators.harness.asking import requests_of
from evaluators.harness.lm_eval_tasks import Harness
from evaluators.statistics import looks
from tests.support import tiny_models
from tests.support.equivalence import assert_equal

DATA = Path(os.environ.get("EVALWATT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")).resolve()
DOCUMENTS = 200
LENGTH = 768
MOST = 1.05  # tokens, by those of one call
GREEDY = {"until": ["\n\n"], "max_gen_toks": 6, "do_sample": False}

Task = list[list[Instance]]  # requests by document


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Such small models are slower on several."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SharedPrefixLM]:
    def load(name: str) -> SharedPrefixLM:
        length = {"n_positions" if name == "gpt2" else "max_position_embeddings": LENGTH}
        folder = tiny_models.save(tmp_path_factory.mktemp("model"), name, **length)
        lm = SharedPrefixLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1)
        assert lm.fallback_reason is None
        return lm

    return functools.cache(load)


@pytest.fixture
def lm(model: Callable[[str], SharedPrefixLM]) -> Iterator[SharedPrefixLM]:
    """A llama with enough memory."""
    llama = model("llama")
    usual, llama.memory = llama.memory, Memory(tokens=300, logits=300, cache_bytes=10**8)
    llama.counted()
    yield llama
    llama.memory = usual


def question(rng: np.random.Generator) -> str:
    words = tiny_models.TEXT.replace("\n", " ").split()
    return "Question: " + " ".join(rng.choice(words, int(rng.integers(5, 12))))


def shots(rng: np.random.Generator) -> str:
    return "\n\n".join(f"{question(rng)}\nAnswer: {rng.choice(['blue', 'green'])}" for _ in range(5)) + "\n\n"


def bbh(seed: int = 0, documents: int = DOCUMENTS) -> Task:
    """An instruction and the same examples for every document, and a choice."""
    rng = np.random.default_rng(seed)
    start = f"Task {seed}: say what colour it has.\n\n" + shots(rng)
    contexts = [f"{start}{question(rng)}\nAnswer:" for _ in range(documents)]
    return [asked("loglikelihood", *((text, f" ({letter})") for letter in "ABC")) for text in contexts]


def gsm8k(seed: int = 0, documents: int = DOCUMENTS) -> Task:
    """The same examples for every document, and an answer to generate."""
    rng = np.random.default_rng(seed)
    start = shots(rng)
    return [asked("generate_until", (f"{start}{question(rng)}\nAnswer:", GREEDY)) for _ in range(documents)]


def arc(seed: int = 0, documents: int = DOCUMENTS) -> Task:
    """No examples and no instruction."""
    rng = np.random.default_rng(seed)
    contexts = [f"{question(rng)} {number}?\nAnswer:" for number in range(documents)]
    return [asked("loglikelihood", *((text, f" {word}") for word in ("blue", "green", "one"))) for text in contexts]


def musr(seed: int = 0, documents: int = DOCUMENTS) -> Task:
    """Several documents on the same passage."""
    rng = np.random.default_rng(seed)
    passages = [f"Passage {number}: " + " ".join(question(rng) for _ in range(4)) for number in range(documents // 8)]
    contexts = [f"{passages[number % len(passages)]}\n{question(rng)}\nAnswer:" for number in range(documents)]
    return [asked("loglikelihood", (text, " blue"), (text, " green")) for text in contexts]


def asked(kind: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, each, index) for index, each in enumerate(arguments)]  # type: ignore[arg-type]


def joined(documents: Sequence[Sequence[Instance]]) -> list[Instance]:
    return [request for document in documents for request in document]


def chunks(task: Task, seed: int = 5) -> list[list[Instance]]:
    """The requests between two looks, of documents in a random order; a chunk's own are in the task's order."""
    order = np.random.default_rng(seed).permutation(len(task))
    bounds = itertools.pairwise((0, *looks.of_task(len(task))))
    return [joined([task[place] for place in sorted(order[begin:end])]) for begin, end in bounds]


def ask(lm: SharedPrefixLM, requests: list[Instance]) -> list[Any]:
    answers: list[Any] = getattr(lm, requests[0].request_type)(requests, disable_tqdm=True)
    return answers


def together(lm: SharedPrefixLM, task: Task) -> tuple[dict[int, Any], TokenCounts]:
    """Each request's answer, and the tokens, in one call."""
    lm.counted()
    requests = joined(task)
    return dict(zip(map(id, requests), ask(lm, requests), strict=True)), lm.counted()


def in_turns(lm: SharedPrefixLM, *tasks: Task, keep: bool = True) -> tuple[dict[int, Any], TokenCounts]:
    """The same in chunks, one of each task after the other."""
    lm.counted()
    found: dict[int, Any] = {}
    with ExitStack() as stack:
        for task in tasks:
            stack.enter_context(lm.keeps(joined(task)) if keep else nullcontext())
        for turn in zip(*map(chunks, tasks), strict=True):
            for requests in turn:
                found |= dict(zip(map(id, requests), ask(lm, requests), strict=True))
    return found, lm.counted()


def assert_same(found: dict[int, Any], expected: dict[int, Any]) -> None:
    assert found.keys() == expected.keys()
    answers = [(found[key], expected[key]) for key in expected]
    texts = [pair for pair in answers if isinstance(pair[1], str)]
    assert [one for one, _ in texts] == [other for _, other in texts]
    scores = [pair for pair in answers if not isinstance(pair[1], str)]
    assert_equal([one for one, _ in scores], [other for _, other in scores])


def tokens(counts: TokenCounts) -> tuple[int, int, int]:
    assert counts.computed is not None
    assert counts.unshared is not None
    assert counts.distinct is not None
    return counts.computed, counts.unshared, counts.distinct


@pytest.mark.parametrize("name", ["llama", "gemma3", "gemma4", "gpt_oss", "gpt2"])
@pytest.mark.parametrize("make", [bbh, gsm8k, musr, arc])
def test_chunks_answer_as_one_call_for_hardly_more_tokens(
    model: Callable[[str], SharedPrefixLM], name: str, make: Callable[[], Task]
) -> None:
    lm, task = model(name), make()
    expected, once = together(lm, task)
    assert len({str(answer) for answer in expected.values()}) > 10
    found, counts = in_turns(lm, task)
    assert_same(found, expected)
    (computed, unshared, distinct), (computed_once, unshared_once, _) = tokens(counts), tokens(once)
    assert computed == distinct <= MOST * computed_once
    assert unshared == unshared_once


@pytest.mark.parametrize("make", [bbh, gsm8k, musr])
def test_otherwise_every_chunk_reads_what_is_shared(lm: SharedPrefixLM, make: Callable[[], Task]) -> None:
    task = make()
    _, once = together(lm, task)
    _, counts = in_turns(lm, task, keep=False)
    assert tokens(counts)[0] > 1.2 * tokens(once)[0]


def test_one_call_is_the_same_to_the_bit(lm: SharedPrefixLM) -> None:
    for task in (bbh(), gsm8k(documents=40)):
        expected, once = together(lm, task)
        with lm.keeps(joined(task)):
            found, counts = together(lm, task)
        assert found == expected
        assert counts == once


def test_tasks_that_take_turns_keep_what_each_shares(lm: SharedPrefixLM) -> None:
    tasks = [bbh(1), bbh(2), gsm8k(3), musr(4)]
    alone = [together(lm, task) for task in tasks]
    found, counts = in_turns(lm, *tasks)
    assert_same(found, {key: answer for answers, _ in alone for key, answer in answers.items()})
    computed, unshared, distinct = tokens(counts)
    assert computed == distinct <= MOST * sum(tokens(once)[0] for _, once in alone)
    assert unshared == sum(tokens(once)[1] for _, once in alone)
    assert lm._keeper.bytes == 0, "what was kept is freed at the end"


TOKEN_BYTES = 2 * 3 * 2 * 8 * 4  # keys and values, layers, heads, their size, float32


def test_what_finds_no_room_is_read_again(lm: SharedPrefixLM) -> None:
    tasks = [bbh(1, documents=80), musr(2, documents=80), gsm8k(3, documents=80)]
    expected = {key: answer for task in tasks for key, answer in together(lm, task)[0].items()}
    most = [tokens(in_turns(lm, *tasks, keep=keep)[1])[0] for keep in (False, True)]
    computed = []
    for room in (0, 200, 600):
        lm.memory = Memory(tokens=300, logits=300, cache_bytes=2 * room * TOKEN_BYTES)  # half of it is for what is kept
        found, counts = in_turns(lm, *tasks)
        assert_same(found, expected)
        computed.append(tokens(counts)[0])
    assert most[0] == computed[0] > computed[1] > computed[2] > most[1]


def test_tasks_have_equal_shares_of_the_memory(lm: SharedPrefixLM) -> None:
    tasks = [bbh(seed, documents=40) for seed in range(3)]
    lm.memory = Memory(tokens=300, logits=300, cache_bytes=2 * 300 * TOKEN_BYTES)
    with ExitStack() as stack:
        for task in tasks:
            stack.enter_context(lm.keeps(joined(task)))
        kept = []
        for task in tasks:
            ask(lm, joined(task))
            kept.append(lm._keeper.bytes)
        assert kept == [TOKEN_BYTES * tokens for tokens in (100, 200, 300)]


def test_rows_leave_room_for_what_is_kept(lm: SharedPrefixLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a task generates, what others share stays where it is."""
    other, task = bbh(0, documents=40), gsm8k(1, documents=8)
    seen: list[int] = []
    usual = Memory.rows

    def look(memory: Memory, position_bytes: int, positions: int) -> int:
        seen.append(memory.cache_bytes)
        return usual(memory, position_bytes, positions)

    monkeypatch.setattr(Memory, "rows", look)
    with lm.keeps(joined(other)), lm.keeps(joined(task)):
        ask(lm, joined(other))
        kept = [lm._keeper.bytes]
        assert kept[0] > 100 * TOKEN_BYTES
        ask(lm, task[0])
        kept.append(lm._keeper.bytes)
        ask(lm, task[1])
    ask(lm, task[2])
    most = lm.memory.cache_bytes
    assert seen == [most - kept[0], most - kept[1], most]


@pytest.mark.parametrize("make", [bbh, gsm8k])
def test_where_memory_runs_out_what_is_kept_is_dropped(
    lm: SharedPrefixLM, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Task]
) -> None:
    task, other = make(), bbh(7, documents=40)
    expected, once = together(lm, task)
    kept_at: list[int] = []
    first, second, *rest = chunks(task)
    forward, calls = lm.model.forward, 0

    @functools.wraps(forward)
    def limited(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        kept_at.append(lm._keeper.bytes)
        return forward(*args, **named)

    lm.counted()
    with lm.keeps(joined(other)), lm.keeps(joined(task)):
        ask(lm, joined(other))
        before, before_bytes = lm.counted(), lm._keeper.bytes
        answers = ask(lm, first)
        both = lm._keeper.bytes
        kept_before = both - before_bytes
        with monkeypatch.context() as patch:
            patch.setattr(lm.model, "forward", limited)
            answers += ask(lm, second)
        assert set(kept_at) == {0}, "nothing is kept while the rest is answered"
        assert 0 < lm._keeper.bytes < both, "and this task's share afterwards"
        assert lm.memory.tokens == 150
        for chunk in rest:
            answers += ask(lm, chunk)
    requests = [request for chunk in (first, second, *rest) for request in chunk]
    assert_same(dict(zip(map(id, requests), answers, strict=True)), expected)
    assert before.computed
    computed, unshared, distinct = tokens(lm.counted())
    assert 0 < computed - distinct <= 300, "the forward that failed"
    again = distinct - tokens(once)[2]
    assert 0 < again < kept_before / TOKEN_BYTES, "what was kept is read again"
    assert unshared == tokens(once)[1]


def test_an_interrupted_call_leaves_nothing_behind(lm: SharedPrefixLM, monkeypatch: pytest.MonkeyPatch) -> None:
    task = bbh(documents=64)
    expected, _ = together(lm, task)
    first, second = chunks(task)[:2]

    def fail(**_: Any) -> None:
        raise KeyboardInterrupt

    with lm.keeps(joined(task)):
        ask(lm, first)
        with monkeypatch.context() as patch:
            patch.setattr(lm.model, "forward", fail)
            with pytest.raises(KeyboardInterrupt):
                ask(lm, second)
        assert lm._keeper.bytes == 0
        found = ask(lm, second)
    assert_same(dict(zip(map(id, second), found, strict=True)), {key: expected[key] for key in map(id, second)})


def test_requests_that_share_nothing_disturb_nothing(lm: SharedPrefixLM) -> None:
    """Without a context, and cut from the left because they are too long."""
    task, rng = bbh(), np.random.default_rng(1)
    begin = task[0][0].args[0].rpartition("Question:")[0]
    for number in range(0, DOCUMENTS, 20):
        long = begin + " ".join(question(rng) for _ in range(LENGTH // 12))
        assert len(lm.tok_encode(long)) > LENGTH
        task[number] = asked("loglikelihood", ("", f" number {number}"), (long, " blue"))
    expected, once = together(lm, task)
    found, counts = in_turns(lm, task)
    assert_same(found, expected)
    assert tokens(counts)[0] <= MOST * tokens(once)[0]


def test_no_tail_comes_from_what_is_kept(lm: SharedPrefixLM) -> None:
    """A context that the others continue, a continuation that goes on as their contexts do, a prompt that is whole."""
    start = "the sky is blue, the grass is green. "
    pairs = [(start, "What colour"), (start + "What", " colour"), (start + "What colour is", " it"), (start, "?")]
    task = [asked("loglikelihood", pair) for pair in pairs]
    texts = [asked("generate_until", (context, GREEDY)) for context, _ in pairs]
    for several in (task, texts, task[:1], texts[:1]):
        expected, _ = together(lm, several)
        found: dict[int, Any] = {}
        with lm.keeps(joined(several)):
            for document in several:
                for again in (document, document):
                    found |= dict(zip(map(id, again), ask(lm, again), strict=True))
        assert_same(found, expected)


def test_rolling_log_likelihoods_need_every_token(lm: SharedPrefixLM) -> None:
    texts = [shots(np.random.default_rng(0)) + question(np.random.default_rng(seed)) for seed in range(6)]
    requests = asked("loglikelihood_rolling", *((text,) for text in texts))
    expected = ask(lm, requests)
    with lm.keeps(requests):
        found = ask(lm, requests[:3]) + ask(lm, requests[3:])
    assert found == pytest.approx(expected, rel=1e-6)


def test_nothing_is_tokenized_before_it_is_asked(lm: SharedPrefixLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """All prompts of a large task take minutes, and most of them may never be asked."""
    task, encoded, usual = bbh(9), list[str](), lm.tok_encode

    def encode(text: str, *more: Any, **named: Any) -> list[int]:
        encoded.append(text)
        return usual(text, *more, **named)

    monkeypatch.setattr(lm, "tok_encode", encode)
    with lm.keeps(joined(task)):
        assert encoded == []
        ask(lm, task[0])
        context, *choices, rest = encoded
        assert len(choices) == 3
        assert context.endswith(rest)
        assert len(rest) < len(context) / 5


TEXTS = st.text(st.sampled_from([*"the sky\n ñ日🙂"]), max_size=8)


@given(
    start=TEXTS.map(lambda text: text * 3),
    pairs=st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1, max_size=8),
    cuts=st.sets(st.integers(1, 7)),
    memory=st.builds(
        Memory, tokens=st.integers(4, 40), logits=st.integers(4, 40), cache_bytes=st.sampled_from([1, 10**7])
    ),
)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_texts_in_any_chunks(
    lm: SharedPrefixLM, start: str, pairs: list[tuple[str, str]], cuts: set[int], memory: Memory
) -> None:
    """Wherever texts begin to differ, inside a word or inside a character's bytes."""
    contexts = [start + more for more, _ in pairs]
    scored = [
        ask_for
        for context, (_, continuation) in zip(contexts, pairs, strict=True)
        if context.strip()
        for ask_for in asked("loglikelihood", (context, continuation))
    ]
    written = [ask_for for context in contexts for ask_for in asked("generate_until", (context, GREEDY))]
    bounds = list(itertools.pairwise([0, *sorted(cuts), 8]))
    for requests in (scored, written):
        expected = getattr(lm, requests[0].request_type)(requests, disable_tqdm=True) if requests else []
        usual, lm.memory = lm.memory, memory
        try:
            with lm.keeps(requests):
                parts = [requests[begin:end] for begin, end in bounds]
                found = [answer for part in parts if part for answer in ask(lm, part)]
        finally:
            lm.memory = usual
        assert_same(dict(enumerate(found)), dict(enumerate(expected)))


@pytest.mark.skipif(
    not (DATA / "make_tasks.py").exists(), reason=f"no benchmark data in {DATA}; name its folder in EVALWATT_TEST_DATA"
)
def test_real_tasks_cost_hardly_more_tokens(tmp_path: Path) -> None:
    """Some of causal_judgement's documents are about the same story."""
    subprocess.run(
        [sys.executable, str(DATA / "make_tasks.py"), str(tmp_path / "tasks")], check=True, capture_output=True
    )
    tasks = [
        {"task": "local_leaderboard_bbh_causal_judgement", "limit": 100},
        {"task": "local_arc_easy", "limit": 100},
        {"task": "local_gsm8k", "num_fewshot": 1, "limit": 40},
    ]
    suite = {"name": "real", "description": "real tasks", "include_path": "tasks", "tasks": tasks}
    harness = Harness(SuiteEntry.model_validate(suite), tmp_path, tmp_path / "nltk")
    loaded, failures = harness.load(model_uses_template=False)
    assert failures == {}
    folder = tiny_models.save(tmp_path / "model", "llama", max_position_embeddings=4096)
    lm = SharedPrefixLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1)
    for each in loaded:
        requests = requests_of(each, lm, each.documents)
        for request in requests:
            if request.request_type == "generate_until":
                request.arguments = (request.args[0], GREEDY)
        task = [list(several) for _, several in itertools.groupby(requests, key=lambda request: request.doc_id)]
        assert len(task) == each.documents
        expected, once = together(lm, task)
        found, counts = in_turns(lm, task)
        assert_same(found, expected)
        assert tokens(counts)[0] <= MOST * tokens(once)[0], each.name
        assert tokens(counts)[1] == tokens(once)[1]


def test_every_engine_can_be_asked_to_keep(tmp_path: Path) -> None:
    folder = tiny_models.save(tmp_path, "llama", max_position_embeddings=LENGTH)
    task = bbh(documents=40)
    for name, shares in (("transformers", False), ("shared-prefix", True)):
        engine = engines.load(name, folder, dtype="float32", device="cpu", batch_size=1)
        with engine.keeps(joined(task)):
            engine.lm.loglikelihood(task[0], disable_tqdm=True)
            engine.counted()
            engine.lm.loglikelihood(task[1], disable_tqdm=True)
            assert ((engine.counted().computed or 0) < 100) == shares
