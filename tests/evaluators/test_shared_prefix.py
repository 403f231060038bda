"""The shared-prefix engine answers as lm-eval's `hf`: on many small models, at every cut, and for fewer tokens."""

from __future__ import annotations

import functools
import heapq
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.models.huggingface import HFLM

from evaluators import engines
from evaluators.engines import transformers
from evaluators.engines.memory import Memory
from evaluators.engines.shared_prefix import SharedPrefixLM
from evaluators.engines.tree_attention import Step
from tests.support import tiny_models
from tests.support.equivalence import assert_equal, assert_near
from tests.support.tiny_models import ARCHITECTURES, LENGTH, OTHERS

DATA = Path(os.environ.get("EVALWATT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")).resolve()
STORIES = DATA / "models" / "stories260k"
PLAIN = {"until": ["\n\n"], "max_gen_toks": 12, "do_sample": False}
PROMPTS = [
    "the sky is blue, the grass is green. What colour is the sky",
    "the sky is blue, the grass is",
    "the sky is blue, the grass is green. What colour is the grass? Answer:",
    "Question: one two three",
    "the sky is blue, the grass is",
    "the",
]

Request = tuple[None, list[int], list[int]]


@dataclass(frozen=True)
class Pair:
    """The same model twice: answered by lm-eval and by the engine."""

    hf: HFLM
    lm: SharedPrefixLM


def load(kind: type[transformers.LM], folder: Path, **settings: Any) -> transformers.LM:
    return kind(**{"pretrained": str(folder), "dtype": "float32", "device": "cpu", "batch_size": 1} | settings)


def load_both(folder: Path, **settings: Any) -> Pair:
    # lm-eval's cache takes the wrong positions where the same tokens are split at different places.
    settings |= {"logits_cache": False}
    return Pair(load(HFLM, folder, **settings), load(SharedPrefixLM, folder, **settings))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Such small models are slower on several."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    return functools.cache(lambda name: load_both(tiny_models.save(tmp_path_factory.mktemp("model"), name)))


def asked(kind: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, each, index) for index, each in enumerate(arguments)]  # type: ignore[arg-type]


def prompts(texts: Sequence[str], **changes: Any) -> list[Instance]:
    return asked("generate_until", *((text, PLAIN | changes) for text in texts))


def draw(rng: np.random.Generator, number: int) -> list[int]:
    return rng.integers(3, 250, number).tolist()


def some_requests(seed: int = 0) -> list[Request]:
    """Shared, nested and lonely contexts, identical requests, one-token, long and cut ones."""
    rng = np.random.default_rng(seed)
    stem, branch = draw(rng, 25), draw(rng, 12)
    contexts = [stem, stem, stem + branch, stem + branch, stem + branch + draw(rng, 20), stem[:7], draw(rng, 4)]
    requests: list[Request] = [(None, context, draw(rng, length)) for context in contexts for length in (1, 4)]
    requests += [(None, draw(rng, 1), draw(rng, LENGTH)), (None, draw(rng, 150) + stem, draw(rng, 5)), requests[3]]
    return [*requests, (None, stem + branch[:4], branch[4:]), (None, stem, branch), (None, stem + branch[:-1], [5])]


def forwarded(request: Request) -> tuple[int, ...]:
    """The tokens that a model reads to answer a request."""
    return tuple((request[1] + request[2])[-(LENGTH + 1) :][:-1])


def prefixes(sequences: Sequence[Sequence[int]]) -> int:
    return len({tuple(sequence[:end]) for sequence in sequences for end in range(1, len(sequence) + 1)})


@st.composite
def tries(make: st.DrawFn) -> list[Request]:
    """Requests over few tokens, whose contexts go on from each other's anywhere."""
    tokens = st.lists(st.sampled_from([5, 60, 130, 200]), min_size=1, max_size=12)
    sequences = [make(tokens) + make(tokens)]
    for _ in range(make(st.integers(1, 7))):
        parent = sequences[make(st.integers(0, len(sequences) - 1))]
        repeats = make(st.sampled_from([1, 1, 1, 6]))
        more = [*make(tokens) * repeats, *make(tokens)]
        sequences.append(parent[: make(st.integers(0, len(parent)))] + more)
    requests: list[Request] = []
    for sequence in sequences:
        for _ in range(make(st.integers(1, 2))):
            split = make(st.integers(max(1, len(sequence) - LENGTH), max(1, len(sequence) - 1)))
            requests.append((None, sequence[:split], sequence[split:] or [5]))
    return requests


# A forward of few tokens cuts everywhere; clusters smaller than a forward are several in one.
MEMORIES = st.builds(Memory, tokens=st.integers(1, 40), logits=st.integers(1, 40), cache_bytes=st.just(10**6))


@pytest.mark.parametrize("name", ARCHITECTURES)
@given(requests=tries(), memory=MEMORIES, largest=st.integers(1, 40))
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_log_likelihoods_are_those_of_hf(
    pair: Callable[[str], Pair], name: str, requests: list[Request], memory: Memory, largest: int
) -> None:
    both = pair(name)
    assert both.lm.fallback_reason is None
    expected = both.hf._loglikelihood_tokens(requests, disable_tqdm=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(both.lm, "memory", memory)
        patch.setattr("evaluators.engines.memory.LARGEST_CLUSTER", largest)
        both.lm.counted()
        assert_equal(both.lm._loglikelihood_tokens(requests, disable_tqdm=True), expected)
    counts = both.lm.counted()
    sequences = [forwarded(request) for request in requests]
    assert counts.computed == counts.distinct == prefixes(sequences)
    assert counts.unshared == sum(map(len, set(sequences)))
    assert counts.padding == 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_at_once_and_token_by_token(pair: Callable[[str], Pair], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both, requests = pair(name), some_requests()
    expected = both.hf._loglikelihood_tokens(requests, disable_tqdm=True)
    per_token = [answer[0] / len(request[2]) for answer, request in zip(expected, requests, strict=True)]
    assert np.std(per_token) > 0.3, "the model says the same of everything"
    assert_equal(both.lm._loglikelihood_tokens(requests, disable_tqdm=True), expected)
    monkeypatch.setattr(both.lm, "memory", Memory(tokens=1, logits=1, cache_bytes=1))
    assert_equal(both.lm._loglikelihood_tokens(requests, disable_tqdm=True), expected)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_greedy_continuations_are_recognized(pair: Callable[[str], Pair], name: str) -> None:
    """The flag is true exactly where the continuation is what the model would say."""
    both = pair(name)
    context = draw(np.random.default_rng(1), 20)
    with torch.no_grad():
        said = both.hf.model.generate(torch.tensor([context]), max_new_tokens=4, do_sample=False, eos_token_id=[])
    greedy = said[0, len(context) :].tolist()
    other = [*greedy[:-1], greedy[-1] + 1]
    astray = [*context, greedy[0] + 1]
    with torch.no_grad():
        last = int(both.hf.model(torch.tensor([astray])).logits[0, -1].argmax())
    requests: list[Request] = [
        (None, context, greedy),
        (None, context, other),
        (None, context + greedy[:1], greedy[1:]),
        (None, context, [astray[-1], last]),
    ]
    assert [answer[1] for answer in both.lm._loglikelihood_tokens(requests)] == [True, False, True, False]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_generations_are_those_of_hf(pair: Callable[[str], Pair], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both = pair(name)
    expected = both.hf.generate_until(prompts(PROMPTS), disable_tqdm=True)
    assert len(set(expected)) >= 4
    assert both.lm.generate_until(prompts(PROMPTS), disable_tqdm=True) == expected
    # Fewer rows than prompts, and a prompt that takes several forwards.
    monkeypatch.setattr(both.lm, "memory", Memory(tokens=5, logits=3, cache_bytes=10**6))
    monkeypatch.setattr("evaluators.engines.memory.MOST_ROWS", 2)
    assert both.lm.generate_until(prompts(PROMPTS), disable_tqdm=True) == expected


TEXTS = st.text(st.sampled_from([*"the sky is bluè ñ日🙂\n.?"]), min_size=1, max_size=12)


@given(pairs=st.lists(st.tuples(st.one_of(st.just(""), TEXTS, st.sampled_from(PROMPTS)), TEXTS), max_size=6))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_texts_are_split_as_lm_eval_splits_them(pair: Callable[[str], Pair], pairs: list[tuple[str, str]]) -> None:
    both = pair("llama")
    pairs = [(context, text) for context, text in pairs if context == "" or context.strip()]
    pairs += [
        ("", "blue"),
        ("the sky is ", "blue"),
        ("the sky is \n", "\n blue "),
        (" naïve", " blue"),
        ("naïve 日本", "🙂"),
        ("é", "é"),
    ]
    expected = both.hf.loglikelihood(asked("loglikelihood", *pairs), disable_tqdm=True)
    assert_equal(both.lm.loglikelihood(asked("loglikelihood", *pairs), disable_tqdm=True), expected)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2"])
def test_rolling_log_likelihoods_are_those_of_hf(pair: Callable[[str], Pair], name: str) -> None:
    """A sum over windows, each of which is one log-likelihood and as exact as any.

    1,520 tokens in 16 windows, a sum of -10,180, differed by 6e-5, or 4e-8 a token: one unit in the last place of one
    window's -650 in float32. `hf` itself was 3e-4 away from float64.
    """
    both = pair(name)
    texts = ["the sky", tiny_models.TEXT * 40, "the sky", "日本 blue", tiny_models.TEXT]
    asks = asked("loglikelihood_rolling", *((text,) for text in texts))
    expected = both.hf.loglikelihood_rolling(asks, disable_tqdm=True)
    windows = [math.ceil(len(both.hf.tok_encode(text)) / LENGTH) for text in texts]
    assert_near(both.lm.loglikelihood_rolling(asks, disable_tqdm=True), expected, times=windows)


@pytest.mark.parametrize(("context", "length"), [([5], LENGTH + 1), ([5], 0), ([], 3)])
def test_what_hf_refuses_is_refused(pair: Callable[[str], Pair], context: list[int], length: int) -> None:
    requests: list[Request] = [(None, [7, 8], [9]), (None, context, [6] * length)]
    with pytest.raises(AssertionError):
        pair("llama").hf._loglikelihood_tokens(requests, disable_tqdm=True)
    with pytest.raises(ValueError, match="cannot score"):
        pair("llama").lm._loglikelihood_tokens(requests, disable_tqdm=True)


def test_no_requests_have_no_answers(pair: Callable[[str], Pair]) -> None:
    lm = pair("llama").lm
    assert lm.loglikelihood([]) == lm.generate_until([]) == lm.loglikelihood_rolling([]) == []


@pytest.mark.parametrize("name", ["gemma2", "mistral", "gpt_oss"])
def test_hf_answers_as_before_after_the_engine_was_used(pair: Callable[[str], Pair], name: str) -> None:
    both, requests = pair(name), some_requests(2)
    both.lm._loglikelihood_tokens(requests, disable_tqdm=True)
    both.lm.generate_until(prompts(PROMPTS[:2]), disable_tqdm=True)
    assert both.lm.model.config._attn_implementation == both.hf.model.config._attn_implementation
    expected = both.hf._loglikelihood_tokens(requests, disable_tqdm=True)
    assert HFLM._loglikelihood_tokens(both.lm, requests[:1], disable_tqdm=True) == expected[:1]
    again = [HFLM._loglikelihood_tokens(both.lm, [request], disable_tqdm=True)[0] for request in requests]
    assert again == expected


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_are_left_to_hf_with_a_reason(tmp_path: Path, name: str) -> None:
    folder = tiny_models.save(tmp_path, name)
    both = load_both(folder)
    assert both.lm.fallback_reason is not None
    assert type(both.lm.model).__name__ in both.lm.fallback_reason
    requests: list[Request] = [(None, [5, 6, 7], [8, 9]), (None, [5, 6], [7])]
    assert both.lm._loglikelihood_tokens(requests) == both.hf._loglikelihood_tokens(requests)
    assert both.lm.generate_until(prompts(PROMPTS[:2])) == both.hf.generate_until(prompts(PROMPTS[:2]))
    engine = engines.load("shared-prefix", folder, dtype="float32", device="cpu", batch_size=1)
    assert (engine.name, engine.reason, engine.shares_prefixes) == ("transformers", both.lm.fallback_reason, False)


def test_windows_that_are_in_masks_alone_are_left_to_hf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check at load cannot see a window that is longer than it."""
    experts = ARCHITECTURES["mixtral"][1] | {"sliding_window": 40}
    monkeypatch.setitem(ARCHITECTURES, "phimoe", ("phimoe", experts))
    both = load_both(tiny_models.save(tmp_path, "phimoe"))
    assert "windows" in str(both.lm.fallback_reason)
    assert_equal(both.lm._loglikelihood_tokens(some_requests()), both.hf._loglikelihood_tokens(some_requests()))


@pytest.mark.parametrize("error", [0.01, math.nan])
def test_a_model_that_scores_otherwise_is_left_to_hf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: float
) -> None:
    scores = SharedPrefixLM.our_scores

    def otherwise(lm: SharedPrefixLM, requests: Any) -> list[tuple[float, bool]]:
        *most, (last, is_greedy) = scores(lm, requests)
        return [*most, (last + error, is_greedy)]

    monkeypatch.setattr(SharedPrefixLM, "our_scores", otherwise)
    lm = load(SharedPrefixLM, tiny_models.save(tmp_path, "llama"))
    assert "LlamaForCausalLM answers differently" in str(lm.fallback_reason)


@pytest.mark.parametrize("name", ["diffllama", "hrm_text"])
def test_a_layer_that_is_entered_twice_is_left_to_hf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The second time would overwrite the first one's keys and values. That is refused, and would be seen."""
    monkeypatch.setitem(OTHERS, "hrm_text", ("hrm_text", dict(ARCHITECTURES["llama"][1])))
    folder = tiny_models.save(tmp_path, name)
    assert "more than once with the layer index 0" in str(load(SharedPrefixLM, folder).fallback_reason)
    monkeypatch.setattr(Step, "enter", lambda step, layer: None)
    assert "differently" in str(load(SharedPrefixLM, folder).fallback_reason)


@pytest.mark.parametrize("window", [7, 40])
@pytest.mark.parametrize("name", ["mistral", "gemma3"])  # attention takes it from the configuration, or from the layer
@pytest.mark.parametrize(
    ("mask", "reason"), [("cluster_mask", "answers differently"), ("row_mask", "generates differently")]
)
def test_a_wrong_window_is_seen_at_load_however_long_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, window: int, mask: str, reason: str
) -> None:
    folder = tiny_models.save(tmp_path, name, sliding_window=window)
    lm = load(SharedPrefixLM, folder)
    assert lm.fallback_reason is None
    # The check made them short for a while.
    own = [vars(module).get("sliding_window") for module in lm.model.modules()]
    assert {lm.model.config.sliding_window, *own} == {window, None}
    usual = getattr(Step, mask)
    monkeypatch.setattr(Step, mask, lambda step, *place: usual(step, *place[:-1], None))
    assert reason in str(load(SharedPrefixLM, folder).fallback_reason)


@pytest.mark.parametrize("place", ["evaluators.engines.memory.Memory.of", "evaluators.engines.compatibility.longest"])
def test_whatever_fails_while_an_architecture_is_looked_at_leaves_it_to_hf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fail(*_: Any) -> None:
        raise TypeError("this attribute is a list\nand more")

    monkeypatch.setattr(place, fail)
    both = load_both(tiny_models.save(tmp_path, "llama"))
    why = "LlamaForCausalLM fails the check for shared prefixes (TypeError: this attribute is a list)"
    assert both.lm.fallback_reason == why
    assert both.lm.generate_until(prompts(PROMPTS[:2])) == both.hf.generate_until(prompts(PROMPTS[:2]))


def test_equal_answers_may_be_apart_by_what_float32_resolves() -> None:
    assert_equal([(-653.81 + 1e-3, True)], [(-653.81, True)])
    with pytest.raises(AssertionError):
        assert_equal([(-653.81 + 2e-3, True)], [(-653.81, True)])
    with pytest.raises(AssertionError):
        assert_equal([(-0.5 + 2e-4, True)], [(-0.5, True)])
    for found in ((-0.5, False), (math.nan, True)):
        with pytest.raises(AssertionError):
            assert_equal([found], [(-0.5, True)])


LONGROPE = {"short_factor": [1.0] * 4, "long_factor": [3.0] * 4, "original_max_position_embeddings": 40}


@pytest.mark.parametrize(
    ("name", "kind", "changes"),
    [
        (
            "phi3",
            LONGROPE | {"rope_type": "longrope"},
            {"sliding_window": None, "original_max_position_embeddings": 40},
        ),
        ("llama", {"rope_type": "dynamic"}, {"max_position_embeddings": 40}),
    ],
)
def test_sequences_that_turn_every_token_otherwise_are_left_to_hf(
    tmp_path: Path, name: str, kind: dict[str, Any], changes: dict[str, Any]
) -> None:
    rope = {"rope_theta": 10000.0, "factor": 3.0} | kind
    both = load_both(tiny_models.save(tmp_path, name, rope_parameters=rope, **changes), max_length=LENGTH)
    assert both.lm.fallback_reason is None
    requests = some_requests()
    assert_equal(both.lm._loglikelihood_tokens(requests), both.hf._loglikelihood_tokens(requests))
    counts = both.lm.counted()
    assert counts == engines.TokenCounts(computed=sum(len(forwarded(request)) for request in requests))
    tokens = draw(np.random.default_rng(3), 60)
    short = [request for request in requests if len(forwarded(request)) <= 40] + [(None, tokens[:37], tokens[37:41])]
    assert_equal(both.lm._loglikelihood_tokens(short), both.hf._loglikelihood_tokens(short))
    assert both.lm.counted().computed == prefixes([forwarded(request) for request in short])
    longer: list[Request] = [*short, (None, tokens[:37], tokens[37:42])]
    assert_equal(both.lm._loglikelihood_tokens(longer), both.hf._loglikelihood_tokens(longer))
    assert both.lm.counted().distinct is None
    texts = ["the sky is", tiny_models.TEXT]
    assert both.lm.generate_until(prompts(texts)) == both.hf.generate_until(prompts(texts))
    assert both.lm.counted().distinct is None
    room = 40 - len(both.lm.tok_encode(texts[0]))
    for most, is_ours in ((room, True), (room + 1, False)):
        asks = prompts(texts[:1], max_gen_toks=most)
        assert both.lm.generate_until(asks) == both.hf.generate_until(asks)
        assert (both.lm.counted().distinct is not None) == is_ours


# Generation


@pytest.fixture(scope="module")
def said(pair: Callable[[str], Pair]) -> list[str]:
    """What the llama answers when nothing ends it."""
    return pair("llama").hf.generate_until(prompts(PROMPTS, max_gen_toks=30, until=[]), disable_tqdm=True)


def test_stop_strings_end_rows_at_different_times(pair: Callable[[str], Pair], said: list[str]) -> None:
    both = pair("llama")
    lm = both.lm
    for width in (1, 2, 4):
        # Out of the middle of answers: a stop string begins and ends where no token does.
        until = [text[place : place + width] for text, place in zip(said, (3, 9, 14, 6, 9, 2), strict=True)]
        expected = both.hf.generate_until(prompts(PROMPTS, max_gen_toks=30, until=until), disable_tqdm=True)
        assert expected != said
        lm.counted()
        assert lm.generate_until(prompts(PROMPTS, max_gen_toks=30, until=until), disable_tqdm=True) == expected
        assert lm.counted().computed < prefixes([lm.tok_encode(text) for text in PROMPTS]) + 30 * len(set(PROMPTS))


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({"eos_token_id": [1, 13, 14, 15, 50, 121, 200, 210, 230]}, True),
        ({"repetition_penalty": 1.8}, True),
        ({"no_repeat_ngram_size": 2}, True),
        ({"max_new_tokens": 5}, True),
        ({"do_sample": True, "temperature": 0.7, "top_p": 0.9}, True),
        ({"num_beams": 3}, False),
        ({"min_new_tokens": 8, "eos_token_id": [1, 13, 14, 50, 121, 230]}, False),
        ({"forced_eos_token_id": 1}, False),
    ],
)
def test_the_models_own_generation_settings_act(tmp_path: Path, changes: dict[str, Any], is_ours: bool) -> None:
    # Padding with a token that ends is common, and must not count as said.
    folder = tiny_models.save(tmp_path, "llama", tokenizer={"pad_token": "</s>"})
    plain = load(HFLM, folder).generate_until(prompts(PROMPTS), disable_tqdm=True)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    both = load_both(folder)
    expected = both.hf.generate_until(prompts(PROMPTS), disable_tqdm=True)
    assert (expected != plain) == ("do_sample" not in changes)
    assert both.lm.generate_until(prompts(PROMPTS), disable_tqdm=True) == expected
    assert (both.lm.counted().distinct is not None) == is_ours


def test_each_request_has_its_own_arguments(pair: Callable[[str], Pair]) -> None:
    both = pair("qwen3")
    requests = asked(
        "generate_until",
        (PROMPTS[0], PLAIN),
        (PROMPTS[0], PLAIN | {"max_gen_toks": 3}),
        (PROMPTS[1], {"until": "e", "max_gen_toks": 9}),
        (PROMPTS[2], PLAIN),
        (PROMPTS[1], {"until": ["e"], "max_gen_toks": 9, "temperature": 0.0}),
        (PROMPTS[3], {"until": ["e"], "max_new_tokens": 7}),
        (PROMPTS[3], {"max_gen_toks": 5}),
    )
    expected = both.hf.generate_until(requests, disable_tqdm=True)
    assert both.lm.generate_until(requests, disable_tqdm=True) == expected


def test_sampling_is_left_to_hf(pair: Callable[[str], Pair]) -> None:
    both = pair("llama")
    requests = prompts(PROMPTS[:3], do_sample=True, temperature=0.8)
    torch.manual_seed(0)
    expected = both.hf.generate_until(requests, disable_tqdm=True)
    both.lm.counted()
    torch.manual_seed(0)
    assert both.lm.generate_until(requests, disable_tqdm=True) == expected
    counts = both.lm.counted()
    assert counts.computed
    assert counts.distinct is None


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral"])
def test_long_prompts_are_cut_from_the_left(pair: Callable[[str], Pair], name: str) -> None:
    both = pair(name)
    long = [tiny_models.TEXT * 4, "grass " + tiny_models.TEXT * 4, PROMPTS[0]]
    assert len(both.hf.tok_encode(long[0])) > LENGTH
    for most in (10, LENGTH - 1):
        expected = both.hf.generate_until(prompts(long, max_gen_toks=most), disable_tqdm=True)
        assert both.lm.generate_until(prompts(long, max_gen_toks=most), disable_tqdm=True) == expected
    with pytest.raises(ValueError, match="leaves no room"):
        both.lm.generate_until(prompts(long, max_gen_toks=LENGTH))


def test_chat_templates(tmp_path: Path) -> None:
    template = "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}Answer:"
    both = load_both(tiny_models.save(tmp_path, "llama", tokenizer={"chat_template": template}))
    texts = [both.lm.apply_chat_template([{"role": "user", "content": text}]) for text in PROMPTS[:3]]
    assert both.lm.generate_until(prompts(texts)) == both.hf.generate_until(prompts(texts))


@pytest.mark.parametrize("end", ["<|over|>", 130])
def test_thoughts_are_cut_off(tmp_path: Path, said: list[str], end: str | int) -> None:
    folder = tiny_models.save(tmp_path, "llama")
    both = load_both(folder, think_end_token=end if isinstance(end, int) else said[0][5:7])
    arguments = {"max_gen_toks": 30, "until": []}
    expected = both.hf.generate_until(prompts(PROMPTS, **arguments))
    assert both.lm.generate_until(prompts(PROMPTS, **arguments)) == expected


# Tokens


def test_unshared_is_what_hf_forwards(pair: Callable[[str], Pair], tmp_path: Path, said: list[str]) -> None:
    hf, lm = load(HFLM, tiny_models.save(tmp_path, "llama")), pair("llama").lm
    counted = transformers.forwarded(hf.model)
    lm.counted()
    requests = some_requests()
    hf._loglikelihood_tokens(requests, disable_tqdm=True)
    lm._loglikelihood_tokens(requests, disable_tqdm=True)
    assert lm.counted().unshared == counted().computed

    # A stop sequence out of the middle of an answer: it ends with the token that completes it.
    for until in (["\n\n"], [said[0][5:8], said[3][4:6]]):
        hf.generate_until(prompts(PROMPTS, until=until), disable_tqdm=True)
        lm.generate_until(prompts(PROMPTS, until=until), disable_tqdm=True)
        assert lm.counted().unshared == counted().computed


def test_a_generated_token_is_forwarded_once(
    pair: Callable[[str], Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hf, lm = load(HFLM, tiny_models.save(tmp_path, "llama")), pair("llama").lm
    counted = transformers.forwarded(hf.model)
    different = list(dict.fromkeys(PROMPTS))
    hf.generate_until(prompts(different), disable_tqdm=True)
    read = [lm.tok_encode(text) for text in different]
    generated = (counted().computed or 0) - sum(map(len, read))
    monkeypatch.setattr("evaluators.engines.memory.MOST_ROWS", 3)
    lm.counted()
    lm.generate_until(prompts(PROMPTS), disable_tqdm=True)
    counts = lm.counted()
    assert counts.computed == counts.distinct == prefixes(read) + generated


def test_a_row_that_has_ended_makes_room_at_once(
    pair: Callable[[str], Pair], said: list[str], sizes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = pair("llama").lm
    arguments = {"until": [said[0][5:8], said[3][2:4]], "max_gen_toks": 30}
    lengths = []
    for text in sorted(set(PROMPTS), key=lm.tok_encode):  # in the order in which the trie is walked
        sizes.clear()
        lm.generate_until(prompts([text], **arguments), disable_tqdm=True)
        lengths.append(len(sizes))
    assert min(lengths) < max(lengths)
    for rows in (1, 2, 3):
        monkeypatch.setattr("evaluators.engines.memory.MOST_ROWS", rows)
        sizes.clear()
        lm.generate_until(prompts(PROMPTS, **arguments), disable_tqdm=True)
        free_from = [0] * rows
        for length in lengths:
            heapq.heapreplace(free_from, free_from[0] + length)
        assert len(sizes) == max(free_from)


# Memory


@pytest.fixture
def sizes(pair: Callable[[str], Pair]) -> Iterator[list[tuple[int, int]]]:
    """The tokens of each of the llama's forwards, and of how many it computes vocabulary logits."""
    found: list[tuple[int, int]] = []

    def look(_module: torch.nn.Module, _arguments: Any, named: dict[str, Any]) -> None:
        if "step" in named:
            found.append((named["input_ids"].numel(), named["logits_to_keep"].numel()))

    handle = pair("llama").lm.model.register_forward_pre_hook(look, with_kwargs=True)
    yield found
    handle.remove()


@pytest.mark.parametrize(("tokens", "logits"), [(40, 6), (6, 40), (1, 1)])
def test_a_forward_is_no_larger_than_the_budget(
    pair: Callable[[str], Pair], sizes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, tokens: int, logits: int
) -> None:
    lm = pair("llama").lm
    monkeypatch.setattr(lm, "memory", Memory(tokens=tokens, logits=logits, cache_bytes=10**6))
    lm._loglikelihood_tokens(some_requests(), disable_tqdm=True)
    largest = max(size for size, _ in sizes), max(kept for _, kept in sizes)
    assert largest[0] <= tokens
    assert largest[1] <= logits
    assert largest[0] == tokens or largest[1] == logits, "the memory bounds nothing"
    sizes.clear()
    lm.generate_until(prompts(PROMPTS), disable_tqdm=True)
    assert max(size for size, _ in sizes) <= tokens + len(PROMPTS)  # what is read, and a token of each row


def test_rows_are_as_many_as_fit(
    pair: Callable[[str], Pair], sizes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row's keys and values: two kv heads of 8 float32 numbers, in three layers, for each position of its own."""
    lm = pair("llama").lm
    own = max(len(lm.tok_encode(text)) for text in PROMPTS) + 12  # the prompts have no token in common
    row_bytes = 2 * 3 * 2 * 8 * 4 * own
    for rows in (1, 3):
        monkeypatch.setattr(lm, "memory", Memory(tokens=200, logits=200, cache_bytes=rows * row_bytes + row_bytes // 2))
        sizes.clear()
        lm.generate_until(prompts(PROMPTS), disable_tqdm=True)
        assert max(kept for _, kept in sizes) == rows


@dataclass
class Recorder:
    """lm-eval's cache of answers."""

    heard: list[tuple[str, Any, Any]]

    def add_partial(self, kind: str, arguments: Any, answer: Any) -> None:
        self.heard.append((kind, arguments, answer))


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, lm: SharedPrefixLM, most: int, error: RuntimeError) -> list[int]:
    """From now on forwards of more than `most` tokens fail; returns the sizes of all that are tried."""
    forward, tried = lm.model.forward, []

    @functools.wraps(forward)
    def limited(*args: Any, **named: Any) -> Any:
        tried.append(named["input_ids"].numel())
        if tried[-1] > most:
            raise error
        return forward(*args, **named)

    monkeypatch.setattr(lm.model, "forward", limited)
    monkeypatch.setattr(lm, "memory", Memory(tokens=200, logits=200, cache_bytes=10**9))
    return tried


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. Error code 12"),
]


def a_real_error() -> RuntimeError:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    return caught.value


@pytest.mark.parametrize("error", [*OUT_OF_MEMORY, a_real_error()])
def test_log_likelihoods_go_on_with_less_memory(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    both = pair("llama")
    texts = [("the sky is", " blue"), *((prompt, text) for prompt in PROMPTS for text in (" blue", " green", "?"))]
    expected = both.hf.loglikelihood(asked("loglikelihood", *texts), disable_tqdm=True)
    monkeypatch.setattr(both.lm, "cache_hook", recorder := Recorder([]))
    tried = run_out_of_memory(monkeypatch, both.lm, 30, error)
    assert_equal(both.lm.loglikelihood(asked("loglikelihood", *texts), disable_tqdm=True), expected)
    assert max(tried) > 30
    assert both.lm.memory.tokens <= 30
    assert sorted(arguments for _, arguments, _ in recorder.heard) == sorted(texts)
    kinds = {kind for kind, _, _ in recorder.heard}
    assert kinds == {"loglikelihood"}


def test_memory_that_runs_out_late_repeats_no_answer(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered before stays answered, and is accounted for once."""
    both, requests = pair("llama"), some_requests()
    expected = both.hf._loglikelihood_tokens(requests, disable_tqdm=True)
    tried = run_out_of_memory(monkeypatch, both.lm, 10**6, OUT_OF_MEMORY[0])
    monkeypatch.setattr(both.lm, "memory", Memory(tokens=60, logits=60, cache_bytes=10**9))
    forward = both.lm.model.forward

    @functools.wraps(forward)
    def once(*args: Any, **named: Any) -> Any:
        if len(tried) == 3:
            tried.append(0)
            raise OUT_OF_MEMORY[0]
        return forward(*args, **named)

    monkeypatch.setattr(both.lm.model, "forward", once)
    both.lm.counted()
    assert_equal(both.lm._loglikelihood_tokens(requests, disable_tqdm=True), expected)
    counts = both.lm.counted()
    assert both.lm.memory == Memory(tokens=30, logits=30, cache_bytes=5 * 10**8)
    sequences = [forwarded(request) for request in requests]
    assert counts.unshared == sum(map(len, set(sequences)))
    # What the rest shares with what was answered is read once more: one path at most.
    assert prefixes(sequences) <= counts.distinct <= prefixes(sequences) + LENGTH
    assert counts.computed < 2 * prefixes(sequences)


def test_generations_go_on_with_less_memory(pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    both = pair("gemma3")
    expected = both.hf.generate_until(prompts(PROMPTS), disable_tqdm=True)
    monkeypatch.setattr(both.lm, "cache_hook", recorder := Recorder([]))
    run_out_of_memory(monkeypatch, both.lm, 20, OUT_OF_MEMORY[0])
    assert both.lm.generate_until(prompts(PROMPTS), disable_tqdm=True) == expected
    assert sorted((arguments[0], answer) for _, arguments, answer in recorder.heard) == sorted(
        zip(PROMPTS, expected, strict=True)
    )


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("no")])
def test_other_errors_are_raised_on(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    lm = pair("llama").lm
    tried = run_out_of_memory(monkeypatch, lm, 0, error)
    with pytest.raises(type(error), match=str(error)):
        lm._loglikelihood_tokens(some_requests(), disable_tqdm=True)
    assert len(tried) == 1
    assert lm.model.config._attn_implementation == pair("llama").hf.model.config._attn_implementation


def test_memory_that_is_never_enough_is_raised(pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    lm = pair("llama").lm
    run_out_of_memory(monkeypatch, lm, 0, OUT_OF_MEMORY[0])
    with pytest.raises(torch.OutOfMemoryError):
        lm._loglikelihood_tokens(some_requests(), disable_tqdm=True)


def test_a_smaller_budget_computes_fewer_tokens_at_once(tmp_path: Path) -> None:
    folder = tiny_models.save(tmp_path, "llama")
    small, large = (load(SharedPrefixLM, folder, memory_gib=gib).memory for gib in (0.001, 1.0))
    assert small.tokens < large.tokens
    assert small.logits < large.logits
    assert small.cache_bytes < large.cache_bytes


# Precision


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_changes_no_more_answers_than_hfs_batch_size(tmp_path: Path, dtype: str) -> None:
    """Which bits change depends on the processor's kernels; how many answers, hardly."""
    folder = tiny_models.save(tmp_path, "llama")
    one, many, lm = (
        load(HFLM, folder, dtype=dtype),
        load(HFLM, folder, dtype=dtype, batch_size=16),
        load(SharedPrefixLM, folder, dtype=dtype),
    )
    assert lm.fallback_reason is None
    rng = np.random.default_rng(0)
    stem, choices = draw(rng, 20), 4
    documents = [stem + draw(rng, int(rng.integers(3, 20))) for _ in range(100)]
    requests: list[Request] = [(None, document, draw(rng, 2)) for document in documents for _ in range(choices)]

    def chosen(which: HFLM) -> tuple[np.ndarray, np.ndarray]:
        answers = which._loglikelihood_tokens(requests, disable_tqdm=True)
        scores = np.array([answer[0] for answer in answers]).reshape(-1, choices)
        return scores, scores.argmax(axis=1)

    (scores, usual), (_, alone), (found, ours) = chosen(many), chosen(one), chosen(lm)
    noise, changed = np.mean(alone != usual), np.mean(ours != usual)
    assert changed <= noise + 3 * math.sqrt(max(noise * (1 - noise), 0.01) / len(documents))
    assert np.abs(found - scores).max() < 0.25


def test_mixed_precision_is_that_of_hf(tmp_path: Path) -> None:
    both = load_both(tiny_models.save(tmp_path, "llama"), mixed_precision_dtype="bfloat16")
    assert both.lm.fallback_reason is None
    found, expected = (each._loglikelihood_tokens(some_requests()) for each in (both.lm, both.hf))
    assert [answer[0] for answer in found] == pytest.approx([answer[0] for answer in expected], rel=0.02, abs=0.2)


# With lm-eval


def test_lm_eval_knows_the_engine_by_name() -> None:
    assert get_model("shared-prefix") is SharedPrefixLM


def test_the_engine_says_what_it_is(tmp_path: Path) -> None:
    folder = tiny_models.save(tmp_path, "llama")
    engine = engines.load("shared-prefix", folder, dtype="float32", device="cpu", batch_size=4)
    assert (engine.name, engine.reason, engine.architecture) == ("shared-prefix", None, "LlamaForCausalLM")
    assert engine.counted() == engines.TokenCounts(computed=0, padding=0, unshared=0, distinct=0)


@pytest.mark.skipif(not STORIES.exists(), reason=f"no model in {STORIES}; name its data in EVALWATT_TEST_DATA")
def test_a_trained_model_tells_the_same_stories() -> None:
    both = load_both(STORIES)
    assert both.lm.fallback_reason is None
    begin = "Once upon a time, there was a little girl named Lily. "
    starts = [begin, begin + "She had a dog. ", begin + "She had a dog. The dog", "The end", "One day, Tom", begin]
    asks = prompts(starts, max_gen_toks=40, until=[". She", "to play", "\n"])
    expected = both.hf.generate_until(asks, disable_tqdm=True)
    assert both.lm.generate_until(asks, disable_tqdm=True) == expected
    assert len({len(text) for text in expected}) > 2
    texts = [(start, more) for start in starts for more in ("She was happy.", "dog", " zebra ", "Er ging nach Hause.")]
    assert_equal(
        both.lm.loglikelihood(asked("loglikelihood", *texts), disable_tqdm=True),
        both.hf.loglikelihood(asked("loglikelihood", *texts), disable_tqdm=True),
    )
