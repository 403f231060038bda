"""Attention over a token trie, for any model that takes its attention from transformers' AttentionInterface.

One forward has batch size 1 and no padding: tokens of many branches lie side by side, and linear layers see each once.
This module decides which token attends to which: clusters of the trie to a stack of keys and values (`prefix_trie`),
and rows that are being generated each to their own. The caller gives positions, so rotary embeddings need no handling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from evaluators.engines.prefix_trie import Cluster, Ints, Pool

NAME = "shared_prefix"


class KeysAndValues:
    """One layer's keys and values: the stack [kv heads, depth, size], rows [rows, kv heads, depth, size], and the pool
    [kv heads, slots, size] of those that outlive a walk.

    Rows follow the stack's first positions, which all of them share, and hold only their own positions.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.pool = tuple(x.new_empty(x.shape[1], 0, x.shape[3]) for x in (keys, values))
        self.clear()

    def clear(self) -> None:
        """Free all but the pool."""
        self.stack = tuple(x.new_empty(x.shape[0], 0, x.shape[2]) for x in self.pool)
        self.rows = tuple(x.new_empty(0, x.shape[0], 0, x.shape[2]) for x in self.pool)

    def push(self, cluster: Cluster, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write a cluster's tokens [kv heads, tokens, size] and those from the pool to the stack; returns the stack up
        to the end of them."""
        end = len(cluster.positions)
        if end > self.stack[0].shape[1]:
            self.stack = tuple(_grown(x, 1, end) for x in self.stack)
        for stack, pool, new in zip(self.stack, self.pool, (keys, values), strict=True):
            if len(cluster.pooled):
                stack[:, torch.from_numpy(cluster.own)] = new
                stack[:, torch.from_numpy(cluster.pooled_at)] = pool[:, torch.from_numpy(cluster.pooled)]
            else:
                stack[:, cluster.kept : end] = new
        return self.stack[0][:, :end], self.stack[1][:, :end]

    def store(self, slots: Tensor, keys: Tensor, values: Tensor, most: int) -> None:
        """Copy [kv heads, tokens, size] to slots of the pool, which will have at most so many."""
        self.pool = tuple(_grown(x, 1, int(slots.max()) + 1, most) for x in self.pool)
        for pool, new in zip(self.pool, (keys, values), strict=True):
            pool[:, slots] = new

    def rearrange(self, cluster: Cluster) -> None:
        """Move a cluster's last path to its place on the stack."""
        if cluster.depth and cluster.path[-1:] != cluster.depth - 1:
            for stack in self.stack:
                stack[:, cluster.path_from : cluster.depth] = stack[:, torch.as_tensor(cluster.path)]

    def keep(self, slot: int, shared: int, depth: int) -> None:
        """Copy the stack from `shared` to `depth` to a row."""
        self.rows = tuple(_grown(_grown(x, 0, slot + 1), 2, depth - shared) for x in self.rows)
        for row, stack in zip(self.rows, self.stack, strict=True):
            row[slot, :, : depth - shared] = stack[:, shared:depth]

    def append(self, lengths: Tensor, longest: int, keys: Tensor, values: Tensor) -> None:
        """Write one token [rows, kv heads, size] after each row's `lengths`; the longest row then has `longest`."""
        self.rows = tuple(_grown(x, 2, longest) for x in self.rows)
        at = torch.arange(len(lengths), device=lengths.device)
        for row, new in zip(self.rows, (keys, values), strict=True):
            row[at, :, lengths] = new

    def move(self, slot: int, to: int) -> None:
        for row in self.rows:
            row[to] = row[slot]


@dataclass
class Cache:
    """All layers' keys and values. `pool`: whose outlive a walk; None where none do."""

    pool: Pool | None = None
    layers: dict[int, KeysAndValues] = field(default_factory=dict)

    @property
    def position_bytes(self) -> int:
        """The size of one position in all layers, which may differ in their heads."""
        stacks = [stack for layer in self.layers.values() for stack in layer.stack]
        return sum(stack.shape[0] * stack.shape[2] * stack.element_size() for stack in stacks)

    def layer(self, index: int, keys: Tensor, values: Tensor) -> KeysAndValues:
        if index not in self.layers:
            self.layers[index] = KeysAndValues(keys, values)
        return self.layers[index]

    @torch.inference_mode()
    def move(self, slot: int, to: int) -> None:
        """Move a row to the slot of another that has ended."""
        if slot == to:
            return
        for layer in self.layers.values():
            layer.move(slot, to)

    @torch.inference_mode()
    def clear(self) -> None:
        """Free all but the pool."""
        for layer in self.layers.values():
            layer.clear()

    @property
    def pool_bytes(self) -> int:
        return sum(pool.nbytes for layer in self.layers.values() for pool in layer.pool)


class Step:
    """What one forward attends to: clusters first, then one token for each of the first rows.

    `slots` are where in the pool the clusters' tokens are kept, -1 where they are not. `lengths` are the rows' own
    positions, `shared` the positions of the stack that all rows share.
    """

    def __init__(
        self,
        cache: Cache,
        clusters: Sequence[Cluster],
        dtype: torch.dtype,
        device: torch.device,
        *,
        slots: Ints | None = None,
        shared: int = 0,
        lengths: Sequence[int] = (),
    ) -> None:
        self.cache = cache
        self.clusters = clusters
        slots = np.empty(0, np.int64) if slots is None else slots
        stored = np.flatnonzero(slots >= 0)
        self.stored, self.slots = torch.from_numpy(stored), torch.from_numpy(slots[stored])
        self.shared = shared
        self.lengths = torch.tensor(lengths, dtype=torch.long, device=device)
        self.longest = max(lengths, default=-1) + 1
        self._dtype = dtype
        self._device = device
        self._masks: dict[tuple[int, int | None], Tensor] = {}
        self._entered: set[int] = set()

    def enter(self, layer: int) -> None:
        """Raises ValueError where this forward already entered the layer: a layer has one place in the cache, and the
        second call would overwrite keys and values that later tokens attend to."""
        if layer in self._entered:
            raise ValueError(f"its attention is called more than once with the layer index {layer}")
        self._entered.add(layer)

    def cluster_mask(self, number: int, window: int | None) -> tuple[int, Tensor]:
        """The first position that a cluster's tokens see, and the additive mask from there on."""
        cluster = self.clusters[number]
        first = 0
        if window is not None:
            first = max(0, min(cluster.kept, int(cluster.positions[cluster.own].min()) - window + 1))
        if (number, window) not in self._masks:
            allowed = cluster.allowed[:, first:]
            if window is not None:
                queries, keys = cluster.positions[cluster.own], cluster.positions[first:]
                allowed = allowed & (keys[None, :] > queries[:, None] - window)
            self._masks[number, window] = self._additive(torch.from_numpy(np.ascontiguousarray(allowed)))
        return first, self._masks[number, window]

    def row_mask(self, window: int | None) -> Tensor:
        """[rows, shared + longest]: the additive mask of the rows' tokens."""
        if (-1, window) not in self._masks:
            own = torch.arange(self.longest, device=self._device)
            positions = torch.cat([torch.arange(self.shared, device=self._device), self.shared + own])
            query = self.shared + self.lengths[:, None]
            allowed = positions <= query
            if window is not None:
                allowed &= positions > query - window
            self._masks[-1, window] = self._additive(allowed)
        return self._masks[-1, window]

    def _additive(self, allowed: Tensor) -> Tensor:
        mask = torch.zeros(allowed.shape, dtype=self._dtype)
        return mask.masked_fill_(~allowed.cpu(), float("-inf")).to(self._device)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    step: Step,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """transformers' attention function: query [1, heads, tokens, size], key and value [1, kv heads, tokens, size], all
    of this forward's tokens. Returns [1, tokens, heads, size]."""
    if sliding_window is None and _has_window(module):
        raise ValueError("its windows are in masks alone, which are not made here")
    index = int(module.layer_idx)  # type: ignore[arg-type]
    step.enter(index)
    layer = step.cache.layer(index, key, value)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups = query.shape[1] // key.shape[1]
    # [kv heads, group, tokens, size]: heads that share keys are in one dimension, so that keys are never repeated.
    queries = query[0].unflatten(0, (key.shape[1], groups))
    out = query.new_empty(*queries.shape[:3], value.shape[-1])
    for number, cluster in enumerate(step.clusters):
        tokens = slice(cluster.begin, cluster.end)
        keys, values = layer.push(cluster, key[0, :, tokens], value[0, :, tokens])
        if cluster.end > cluster.begin:
            first, mask = step.cluster_mask(number, sliding_window)
            out[:, :, tokens] = _attention(
                queries[:, :, tokens], keys[:, first:], values[:, first:], mask, scale, softcap, s_aux
            )
        layer.rearrange(cluster)
        if cluster.slot is not None:
            layer.keep(cluster.slot, step.shared, cluster.depth)
    if step.cache.pool is not None and len(step.stored):
        layer.store(step.slots, key[0, :, step.stored], value[0, :, step.stored], step.cache.pool.size)
    if len(step.lengths):
        tokens = slice(query.shape[2] - len(step.lengths), None)
        layer.append(step.lengths, step.longest, key[0, :, tokens].transpose(0, 1), value[0, :, tokens].transpose(0, 1))
        out[:, :, tokens] = _row_attention(queries[:, :, tokens], layer, step, sliding_window, scale, softcap, s_aux)
    return out.flatten(0, 1).transpose(0, 1)[None], None


def _has_window(module: torch.nn.Module) -> bool:
    """Whether the model's configuration gives this layer a sliding window."""
    config = getattr(module, "config", None)
    if not getattr(config, "sliding_window", None):
        return False
    kinds = getattr(config, "layer_types", None)
    return kinds is None or kinds[int(module.layer_idx)] == "sliding_attention"  # type: ignore[arg-type]


def _attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float | None, sinks: Tensor | None
) -> Tensor:
    """[kv heads, group, tokens, size] against [kv heads, keys, size] under an additive mask [tokens, keys]."""
    if softcap is None and sinks is None:
        group, tokens = query.shape[1:3]
        folded = query.reshape(1, len(query), group * tokens, -1)
        out = scaled_dot_product_attention(folded, key[None], value[None], mask.repeat(group, 1), scale=scale)
        return out[0].unflatten(1, (group, tokens))
    scores = query @ key[:, None].transpose(-1, -2) * scale
    by_head = None if sinks is None else sinks.view(*query.shape[:2], 1, 1)
    return _weights(scores, mask, softcap, by_head) @ value[:, None]


def _row_attention(
    query: Tensor,
    layer: KeysAndValues,
    step: Step,
    window: int | None,
    scale: float,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """[kv heads, group, rows, size]: each row against the shared positions, read once for all, and its own."""
    rows = len(step.lengths)
    shared_keys, shared_values = (x[:, : step.shared] for x in layer.stack)
    own_keys, own_values = (x[:rows, :, : step.longest] for x in layer.rows)
    by_row = query.permute(2, 0, 1, 3)  # [rows, kv heads, group, size]
    to_shared = (query.flatten(1, 2) @ shared_keys.transpose(-1, -2)).unflatten(1, query.shape[1:3]).permute(2, 0, 1, 3)
    scores = torch.cat([to_shared, by_row @ own_keys.transpose(-1, -2)], dim=-1) * scale
    by_head = None if sinks is None else sinks.view(*query.shape[:2], 1)
    weights = _weights(scores, step.row_mask(window)[:, None, None], softcap, by_head)
    on_shared, on_own = weights.split([step.shared, step.longest], dim=-1)
    from_shared = on_shared.permute(1, 2, 0, 3).flatten(1, 2) @ shared_values
    return from_shared.unflatten(1, query.shape[1:3]) + (on_own @ own_values).permute(1, 2, 0, 3)


def _weights(scores: Tensor, mask: Tensor, softcap: float | None, sinks: Tensor | None) -> Tensor:
    """Softmax over the last dimension in float32; a sink takes its share and is then dropped."""
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = scores + mask
    if sinks is None:
        return torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
    with_sink = torch.cat([scores, sinks.to(scores.dtype).expand(*scores.shape[:-1], 1)], dim=-1)
    return torch.softmax(with_sink, dim=-1, dtype=torch.float32)[..., :-1].to(scores.dtype)


def _grown(tensor: Tensor, dimension: int, size: int, most: int | None = None) -> Tensor:
    """The tensor with room for at least `size`; it grows by at least half, so that it is rarely copied, but not beyond
    `most`."""
    has = tensor.shape[dimension]
    if size <= has:
        return tensor
    shape = list(tensor.shape)
    enough = has + has // 2
    shape[dimension] = max(size, enough if most is None else min(enough, most))
    larger = tensor.new_zeros(shape)
    larger.narrow(dimension, 0, has).copy_(tensor)
    return larger


AttentionInterface.register(NAME, attend)
