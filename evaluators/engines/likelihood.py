"""Log-likelihoods of continuations by a depth-first walk over the trie of the tokens read for them.

Belongs here: which nodes need logits, and the score of a continuation. Does not belong here: requests
(`shared_prefix`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluators.engines import prefix_trie
from evaluators.engines.memory import Memory
from evaluators.engines.prefix_trie import Ints, Piece, Trie
from evaluators.engines.tree_attention import Cache
from evaluators.engines.trie_model import TrieModel


@dataclass(frozen=True, slots=True)
class Scored:
    """A continuation's log-likelihood, and whether it is the greedy one. Tokens as in TokenCounts."""

    log_likelihood: float
    is_greedy: bool
    unshared: int
    distinct: int


def score(
    model: TrieModel,
    memory: Memory,
    softmax_dtype: torch.dtype | None,
    keys: Sequence[bytes],
    continuations: Sequence[NDArray[Any]],
    kept: Sequence[int],
    cache: Cache,
) -> Iterator[tuple[int, Scored]]:
    """The score of each continuation with its index, in the order of answers. `keys` (`prefix_trie.key`) are of the
    tokens read for them: all but the last token, which is only predicted. `kept`: how many first tokens of each are to
    be kept in the cache's pool."""
    trie = Trie.of(keys, [len(continuation) for continuation in continuations], kept, cache.pool)
    nodes, targets = np.concatenate(trie.tails), np.concatenate(continuations)
    by_node = np.argsort(nodes, kind="stable")
    wanted = np.unique(nodes)
    log_probabilities: Tensor | None = None
    greedy = torch.empty(len(nodes), dtype=torch.bool)
    bounds = np.cumsum([0, *map(len, continuations)])
    answered = 0
    for parts in _forwards(trie, wanted, memory):
        begin, end = parts[0].begin, parts[-1].end
        here = wanted[slice(*np.searchsorted(wanted, (begin, end)))]
        clusters = prefix_trie.clusters(parts, memory.cluster)
        logits = model.logits(
            cache, clusters, trie.tokens[begin:end], trie.depths[begin:end], here - begin, slots=trie.slots[begin:end]
        )
        scores = torch.log_softmax(logits, dim=-1, dtype=softmax_dtype)
        asked = by_node[slice(*np.searchsorted(nodes, (begin, end), sorter=by_node))]
        at = torch.from_numpy(np.searchsorted(here, nodes[asked])).to(model.device)
        target = torch.from_numpy(targets[asked]).to(model.device)
        if log_probabilities is None:
            log_probabilities = torch.empty(len(nodes), dtype=scores.dtype)
        log_probabilities[asked] = scores[at, target].cpu()
        greedy[asked] = (scores.argmax(dim=-1)[at] == target).cpu()
        while answered < len(trie.order) and trie.segments[answered].end <= end:
            index = trie.order[answered]
            segment = trie.segments[answered]
            added = segment.end - segment.begin
            own = slice(bounds[index], bounds[index + 1])
            yield (
                index,
                Scored(
                    float(log_probabilities[own].sum()),
                    bool(greedy[own].all()),
                    # `hf` answers continuations together that differ only in their last token.
                    unshared=segment.length if added else 0,
                    distinct=added,
                ),
            )
            answered += 1


def _forwards(trie: Trie, wanted: Ints, memory: Memory) -> Iterator[list[Piece]]:
    """The trie's pieces, as many at a time as the memory allows. `wanted` are the nodes that need logits."""
    parts: list[Piece] = []
    longest = min(memory.cluster, memory.logits)
    for segment in trie.segments:
        for part in prefix_trie.pieces(segment, longest):
            if parts:
                begin = parts[0].begin
                logits = np.diff(np.searchsorted(wanted, (begin, part.end)))[0]
                if part.end - begin > memory.tokens or logits > memory.logits:
                    yield parts
                    parts = []
            parts.append(part)
    if parts:
        yield parts
