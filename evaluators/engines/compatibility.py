"""Which models shared prefixes support, and up to which sequence length; the reason in words where they do not.

Belongs here: checks of the configuration, a comparison with `hf` at load, and how far equal answers may differ. Does
not belong here: which engine answers for an unsupported model (`shared_prefix`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

_ATTENTIONS = {"full_attention", "sliding_attention"}
_MARGIN = 10  # the check allows more than `allowed_difference`: larger models accumulate more rounding
_TOLERANCE_HALF = 1.0  # of log-probabilities, because half precision is noisy
_WINDOW = 8  # tokens, in the check
_GENERATED = 3  # tokens of each of the check's answers: the second is read behind the first, the third behind both

Requests = Sequence[tuple[None, list[int], list[int]]]
Answers = list[tuple[float, bool]]
Generated = tuple[list[list[int]], Tensor]  # tokens behind each prompt, and the scores [prompt, step, vocabulary]


class Asked(Protocol):
    """What the check needs from a model, tokens in and out: answers of `hf` and ours."""

    def hf_scores(self, requests: Requests) -> Answers:
        """Log-likelihoods as `hf` computes them."""

    def our_scores(self, requests: Requests) -> Answers:
        """Log-likelihoods as shared prefixes compute them."""

    def hf_generates(self, prompts: list[list[int]], most: int) -> Generated:
        """What `hf` generates for prompts of equal length."""

    def we_generate(self, prompts: list[list[int]], most: int) -> list[list[int]] | None:
        """What shared prefixes generate; None where the model's settings require `hf`."""


def allowed_difference(value: float) -> float:
    """How far a log-likelihood may differ from that of `hf` in float32, which has seven significant digits.

    The greedy flags, the texts and the metrics' values are the same.
    """
    return 1e-4 + 2e-6 * abs(value)


def unsupported(model: Any, backend: str) -> str | None:
    """Why shared prefixes do not support this model, judging by its configuration; None where nothing is known."""
    name = type(model).__name__
    config = model.config.get_text_config()
    if backend != "causal":
        return f"{name} is an encoder-decoder model"
    if not model._can_set_attn_implementation():
        return f"{name} does not take its attention from transformers' AttentionInterface"
    kinds = set(getattr(config, "layer_types", None) or ()) - _ATTENTIONS
    if kinds:
        return f"{name} has layers of the kinds {', '.join(sorted(kinds))}"
    if getattr(config, "num_kv_shared_layers", None):
        return f"{name} shares keys and values between layers"
    if not model._supports_logits_to_keep():
        return f"{name} computes vocabulary logits for all positions"
    return None


def differs(model: Any, asked: Asked) -> str | None:
    """Why shared prefixes do not support this model, judging by a small trie of made-up tokens; None where they do.

    `hf` scores one request at a time, and we score all at once; then several answers are generated side by side.
    Sequences are longer than the sliding windows, which are shortened for the check from hundreds or thousands of
    tokens.
    """
    name = type(model).__name__
    rng = np.random.default_rng(0)
    draw = lambda n: rng.integers(0, model.config.get_text_config().vocab_size, n).tolist()  # noqa: E731
    stem, branch = draw(9), draw(6)
    sequences = [stem + draw(5), stem + branch, stem + branch + draw(4), stem + draw(1), draw(7)]
    requests = [(None, sequence, draw(3)) for sequence in sequences]
    prompts = [stem + draw(9), stem + draw(9), stem + draw(4)]
    with _short_windows(model):
        expected = np.array([asked.hf_scores([request])[0][0] for request in requests])
        found = np.array([answer[0] for answer in asked.our_scores(requests)])
        # NaN counts as a difference.
        apart = np.abs(found - expected)
        if not all(apart <= [_tolerance(model.dtype, value) for value in expected]):
            return f"{name} answers differently with shared prefixes (by {np.max(apart):.2g} in a check at load)"
        answers = asked.we_generate(prompts, _GENERATED)
        if answers is not None and not _generated_alike(model.dtype, asked, prompts, answers):
            return f"{name} generates differently with shared prefixes (in a check at load)"
    return None


def longest(config: Any) -> float:
    """The length in tokens up to which sequences can share prefixes: where longer sequences rotate embeddings
    differently from their first token on (LongRoPE, dynamic scaling), they share nothing with shorter ones."""
    parameters = getattr(config, "rope_parameters", None) or {}
    by_layer = [parameters, *(value for value in parameters.values() if isinstance(value, dict))]
    limits = {"longrope": "original_max_position_embeddings", "dynamic": "max_position_embeddings"}
    return min(
        (
            each.get(limits[each["rope_type"]], None) or getattr(config, limits[each["rope_type"]])
            for each in by_layer
            if each.get("rope_type") in limits
        ),
        default=math.inf,
    )


def _tolerance(dtype: torch.dtype, value: float) -> float:
    return _MARGIN * allowed_difference(value) if dtype == torch.float32 else _TOLERANCE_HALF


def _generated_alike(dtype: torch.dtype, asked: Asked, prompts: list[list[int]], answers: list[list[int]]) -> bool:
    """Whether answers equal those of `hf`, up to the first token where rounding may decide between two scores."""
    for length in sorted({len(prompt) for prompt in prompts}):
        members = [index for index, prompt in enumerate(prompts) if len(prompt) == length]
        expected, scores = asked.hf_generates([prompts[index] for index in members], _GENERATED)
        for index, usual, by_step in zip(members, expected, scores, strict=True):
            steps = zip(answers[index], usual, by_step, strict=False)
            other = next(((ours, theirs, score) for ours, theirs, score in steps if ours != theirs), None)
            if other is not None:
                ours, theirs, score = other
                best = float(score[theirs])
                if not best - float(score[ours]) <= _tolerance(dtype, best):
                    return False
    return True


@contextmanager
def _short_windows(model: Any) -> Iterator[None]:
    """The model with sliding windows of a few tokens, in its masks (through the configurations) and in its attention
    (through layers that copied the number). A window that is defined elsewhere stays as it is."""

    def with_window(several: Any) -> list[Any]:
        return [each for each in several if isinstance(vars(each).get("sliding_window"), int)]

    modules = list(model.modules())
    configs = {id(config): config for module in modules if (config := vars(module).get("config")) is not None}
    named = with_window([*configs.values(), model.config.get_text_config()])
    values = {config.sliding_window for config in named if config.sliding_window > _WINDOW}
    usual = [(each, each.sliding_window) for each in with_window([*named, *modules]) if each.sliding_window in values]
    try:
        for each, _ in usual:
            each.sliding_window = _WINDOW
        yield
    finally:
        for each, window in usual:
            each.sliding_window = window
