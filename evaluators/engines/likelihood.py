"""Log-likelihoods of continuations by a depth-first walk over the trie of what is read for them.

Belongs here: which nodes' logits are wanted, and what they say of a continuation. Requests are `shared_prefix`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluators.engines import prefix_trie, tree_attention
from evaluators.engines.memory import Budget
from evaluators.engines.prefix_trie import Ints, Piece, Trie
from evaluators.engines.trie_model import TrieModel


@dataclass(frozen=True, slots=True)
class Scored:
    """A continuation's log-likelihood, and whether it is the greedy one. Tokens as TokenCounts names them."""

    log_likelihood: float
    is_greedy: bool
    unshared: int
    distinct: int


def score(
    model: TrieModel,
    budget: Budget,
    softmax_dtype: torch.dtype | None,
    keys: Sequence[bytes],
    continuations: Sequence[NDArray[Any]],
) -> Iterator[tuple[int, Scored]]:
    """Each continuation by its index, as they are answered. `keys` (`prefix_trie.key`) are of what is read for them:
    all but the last token, which is only predicted."""
    trie = Trie.of(keys, [len(continuation) for continuation in continuations])
    nodes, targets = np.concatenate(trie.tails), np.concatenate(continuations)
    by_node = np.argsort(nodes, kind="stable")
    wanted = np.unique(nodes)
    log_probabilities: Tensor | None = None
    greedy = torch.empty(len(nodes), dtype=torch.bool)
    bounds = np.cumsum([0, *map(len, continuations)])
    cache, answered = tree_attention.Cache(), 0
    for parts in _forwards(trie, wanted, budget):
        begin, end = parts[0].begin, parts[-1].end
        here = wanted[slice(*np.searchsorted(wanted, (begin, end)))]
        clusters = prefix_trie.clusters(parts, budget.cluster)
        logits = model.logits(cache, clusters, trie.tokens[begin:end], trie.depths[begin:end], here - begin)
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
                    # `hf` answers continuations that differ in their last token only together.
                    unshared=segment.depth + added if added else 0,
                    distinct=added,
                ),
            )
            answered += 1


def _forwards(trie: Trie, wanted: Ints, budget: Budget) -> Iterator[list[Piece]]:
    """The trie's pieces, as many at a time as the budget allows. `wanted` are the nodes that logits are for."""
    parts: list[Piece] = []
    longest = min(budget.cluster, budget.logits)
    for segment in trie.segments:
        for part in prefix_trie.pieces(segment, longest):
            if parts:
                begin = parts[0].begin
                logits = np.diff(np.searchsorted(wanted, (begin, part.end)))[0]
                if part.end - begin > budget.tokens or logits > budget.logits:
                    yield parts
                    parts = []
            parts.append(part)
    if parts:
        yield parts
