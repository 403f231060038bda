"""How much may be in memory at once: tokens of a forward, logits, keys and values.

Belongs here: sizes, and how running out of memory is recognised. Does not belong here: continuing with less
(`shared_prefix`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import psutil
import torch

LARGEST_CLUSTER = 128  # tokens that attend in one call; in larger clusters more of the attention is masked
MOST_TOKENS = 1024  # tokens per forward; more was not faster on a CPU
MOST_ROWS = 32  # answers that are generated side by side
FEWEST_TOKENS = 16  # halving stops here


@dataclass(frozen=True, slots=True)
class Memory:
    """How much may be in memory at once: tokens of a forward, positions with logits, keys and values of rows."""

    tokens: int
    logits: int
    cache_bytes: int

    @classmethod
    def of(cls, config: Any, dtype: torch.dtype, memory_bytes: int) -> Memory:
        """A quarter of the memory each for a forward's activations and for logits, half for keys and values."""
        size = dtype.itemsize
        # Per token: the residual stream a few times, the widest layer three times.
        widest = max(*_values(config, "intermediate_size"), 4 * config.hidden_size)
        tokens = memory_bytes // 4 // ((8 * config.hidden_size + 3 * widest) * size)
        logits = memory_bytes // 4 // (config.vocab_size * (2 * size + 4))
        return cls(
            tokens=max(FEWEST_TOKENS, min(MOST_TOKENS, tokens)),
            logits=max(1, min(MOST_TOKENS, logits)),
            cache_bytes=memory_bytes // 2,
        )

    @property
    def cluster(self) -> int:
        """Tokens that attend in one call, at most."""
        return min(LARGEST_CLUSTER, self.tokens)

    def rows(self, position_bytes: int, positions: int) -> int:
        """How many rows with so many positions of their own fit."""
        return max(1, min(MOST_ROWS, self.cache_bytes // (position_bytes * positions)))

    @property
    def most_kept_bytes(self) -> int:
        """How much may stay occupied between calls: half of the cache, so that rows find room during a call."""
        return self.cache_bytes // 2

    def beside(self, kept_bytes: int) -> Memory:
        """What is left beside keys and values that are kept."""
        return dataclasses.replace(self, cache_bytes=self.cache_bytes - kept_bytes)

    def halved(self) -> Memory:
        return Memory(self.tokens // 2, max(1, self.logits // 2), self.cache_bytes // 2)


def _values(config: Any, name: str) -> list[int]:
    """A configuration's value for its layers: one number for all, or one for each; 0 where it has none."""
    try:
        value = getattr(config, name, None)
    except RuntimeError:  # transformers raises where layers have configurations of their own
        value = [getattr(layer, name, None) for layer in config.per_layer_config]
    return [each or 0 for each in value] if isinstance(value, list | tuple) else [value or 0, 0]


def free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: RuntimeError) -> bool:
    # On a CPU torch has no exception type for it, but two wordings.
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in ("can't allocate memory", "not enough memory")
    )
