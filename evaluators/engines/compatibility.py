"""Which models, and how long sequences, shared prefixes can answer; a reason in words where they cannot.

Belongs here: what a configuration tells, and a check against `hf` at load. What such a model is left to is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

_ATTENTIONS = {"full_attention", "sliding_attention"}
_TOLERANCE = {torch.float32: 1e-3}  # of log-probabilities; half precision has noise of its own
_TOLERANCE_HALF = 1.0

Requests = Sequence[tuple[None, list[int], list[int]]]
Answers = list[tuple[float, bool]]


def unsupported(model: Any, backend: str) -> str | None:
    """Why this model cannot be answered by shared prefixes, as far as its configuration tells."""
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


def differs(model: Any, hf: Callable[[Requests], Answers], ours: Callable[[Requests], Answers]) -> str | None:
    """Why this model cannot be answered by shared prefixes, as a small trie of made-up tokens tells: `hf` is asked one
    request at a time, `ours` all of them at once."""
    name = type(model).__name__
    rng = np.random.default_rng(0)
    draw = lambda n: rng.integers(0, model.config.get_text_config().vocab_size, n).tolist()  # noqa: E731
    stem, branch = draw(9), draw(6)
    sequences = [stem + draw(5), stem + branch, stem + branch + draw(4), stem + draw(1), draw(7)]
    requests = [(None, sequence, draw(3)) for sequence in sequences]
    expected = [hf([request])[0][0] for request in requests]
    try:
        found = ours(requests)
    except Exception as error:  # whatever an architecture makes of a trie, `hf` can answer
        return f"{name} cannot be asked about shared prefixes ({type(error).__name__}: {error})"
    # numpy's maximum is NaN where a difference is; Python's may pass over it.
    worst = np.max(np.abs(np.array([answer[0] for answer in found]) - expected))
    if not worst <= _TOLERANCE.get(model.dtype, _TOLERANCE_HALF):
        return f"{name} answers otherwise with shared prefixes (by {worst:.2g} in a check at load)"
    return None


def longest(config: Any) -> float:
    """Of how many tokens a sequence is at most whose prefixes are anyone's: where rotary embeddings turn otherwise in
    longer sequences (LongRoPE, dynamic scaling), from their first token on, nothing is shared with shorter ones."""
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
