"""A causal model that reads tokens of many branches of a trie in one forward.

Belongs here: one forward, and the model's attention during it. Does not belong here: what is forwarded, and the use of
its logits (`likelihood`, `decoding`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from evaluators.engines import tree_attention
from evaluators.engines.prefix_trie import Cluster, Ints


class TrieModel:
    """A transformers model on a device; `mixed_precision_dtype` is `hf`'s."""

    def __init__(self, model: Any, device: torch.device, mixed_precision_dtype: torch.dtype | None) -> None:
        self.config = model.config.get_text_config()
        self.dtype: torch.dtype = model.dtype
        self.device = device
        self.position_bytes = 0  # of one position's keys and values; known after the first forward
        self._model = model
        self._mixed_precision_dtype = mixed_precision_dtype

    @contextmanager
    def own_attention(self) -> Iterator[None]:
        """The model with attention over token tries; its usual attention is restored for `hf` afterwards."""
        usual = self._model.config._attn_implementation
        self._model.set_attn_implementation(tree_attention.NAME)
        try:
            yield
        finally:
            self._model.set_attn_implementation(usual)

    @torch.inference_mode()
    def logits(
        self,
        cache: tree_attention.Cache,
        clusters: Sequence[Cluster],
        tokens: Ints,
        positions: Ints,
        keep: Ints,
        *,
        slots: Ints | None = None,
        shared: int = 0,
        lengths: Sequence[int] = (),
    ) -> Tensor:
        """Vocabulary logits [positions kept, vocabulary] of one forward: clusters first, then one token of each row
        (`slots`, `shared` and `lengths` as in `tree_attention.Step`)."""
        step = tree_attention.Step(
            cache, clusters, self.dtype, self.device, slots=slots, shared=shared, lengths=lengths
        )
        ids, places, kept = (torch.from_numpy(x).to(self.device) for x in (tokens, positions, keep))
        with torch.autocast(
            self.device.type, dtype=self._mixed_precision_dtype, enabled=self._mixed_precision_dtype is not None
        ):
            out = self._model(
                input_ids=ids[None], position_ids=places[None], use_cache=False, logits_to_keep=kept, step=step
            )
        self.position_bytes = self.position_bytes or cache.position_bytes
        return out.logits[0]
