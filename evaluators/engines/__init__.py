"""Engines: how a model answers lm-eval's requests. Each is imported only when it is used.

transformers.py    lm-eval's own `hf` backend, the reference
shared_prefix.py   the default: the same answers with shared prefixes computed once
vllm.py            lm-eval's own `vllm` backend, for a CUDA device

Parts of shared_prefix: likelihood and decoding choose what is forwarded, trie_model forwards it, prefix_trie is the
trie, tree_attention the attention over it, kept is what outlives a call, memory decides how much fits, compatibility
which models are supported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import TemplateLM


class EngineFailed(Exception):
    """The model cannot be loaded; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens that an engine forwarded for some requests, None where it does not know.

    `computed` counts all that it forwarded, `padding` those of them that no request needs. `unshared` is what lm-eval's
    `hf` forwards for the same requests, without its padding, and `distinct` the minimum: each distinct prefix of the
    requests and each generated token once, for every call that does not find it kept (`Engine.keeps`).
    """

    computed: int | None = None
    padding: int | None = None
    unshared: int | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model. `synchronize` returns when the device has finished its work, `counted` returns the tokens
    forwarded since its last call. `reason` says why another engine than the requested one answers, else None.

    `shares_prefixes`: shared prefixes are read once, for requests of any kind. vLLM shares them only when generating.

    `keeps`: for a task that is asked in several calls. In `with engine.keeps(all requests of the task):` what several
    of these requests begin with (instruction, examples, passages) is read by one call and kept for the others. Answers
    are those of a single call, apart from rounding. Entering it only compares texts. It occupies memory until it ends,
    so end it once the task is decided. Several may be open at the same time and take turns, because a request is found
    by its text; they share the memory, and what finds no room is read again. Other engines keep nothing: `hf` shares no
    prefixes, and vLLM has a cache of its own.
    """

    name: str
    version: str
    batch_policy: str
    lm: TemplateLM
    synchronize: Callable[[], None]
    counted: Callable[[], TokenCounts]
    architecture: str
    params_b: float
    shares_prefixes: bool = False
    reason: str | None = None
    keeps: Callable[[Sequence[Instance]], AbstractContextManager[object]] = nullcontext


def import_what_loads(name: str) -> None:
    """Import the engine's libraries: compiling them the first time takes seconds, which no model should pay for."""
    with suppress(ImportError):  # `load` says what is missing
        importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def load(name: str, path: Path, *, dtype: str, device: str, batch_size: int) -> Engine:
    """Load the model in the folder `path`. Raises ValueError for an unknown engine, EngineFailed for a bad model."""
    if name == "shared-prefix":
        from evaluators.engines import shared_prefix

        return shared_prefix.load(path, dtype=dtype, device=device, batch_size=batch_size)
    if name == "transformers":
        from evaluators.engines import transformers

        return transformers.load(path, dtype=dtype, device=device, batch_size=batch_size)
    if name == "vllm":
        from evaluators.engines import vllm

        return vllm.load(path, dtype=dtype, device=device)
    raise ValueError(f"unknown engine {name!r}; known: shared-prefix, transformers, vllm")
