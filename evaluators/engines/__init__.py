"""Engines: how a model answers lm-eval's requests. Each is imported only when it is asked for.

transformers.py    lm-eval's own `hf` backend, the reference
shared_prefix.py   the default: the same answers with shared prefixes computed once
vllm.py            lm-eval's own `vllm` backend, for a CUDA device

What shared_prefix is made of: likelihood and decoding say what is forwarded, trie_model forwards it, prefix_trie is the
trie and tree_attention the attention over it, memory what fits into it, compatibility which models it can answer.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lm_eval.api.model import TemplateLM


class EngineFailed(Exception):
    """The model cannot be loaded; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens that an engine forwarded for some requests, None where it cannot tell.

    `computed` are all that it forwarded, `padding` those among them that no request asked for. `unshared` is what
    lm-eval's `hf` forwards for the same requests, without its padding, and `distinct` the least that can be: each
    distinct prefix of the requests and each generated token once.
    """

    computed: int | None = None
    padding: int | None = None
    unshared: int | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model. `synchronize` returns when the device has done all that it was asked, `counted` what was
    forwarded since it was asked last. `reason` says why another engine than the one asked for answers, else None.

    `shares_prefixes`: what requests of any kind begin with is read once. vLLM shares it only where it generates.
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


def import_what_loads(name: str) -> None:
    """Import the engine's libraries: the first time Python compiles them, for seconds that are no model's energy."""
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
    raise ValueError(f"engine {name!r} is not known; there are: shared-prefix, transformers, vllm")
