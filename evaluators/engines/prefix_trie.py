"""Requests as a token trie, walked depth-first: what must be forwarded, in which order, and what it may attend to.

Belongs here: token ids, positions and masks, in numpy. Does not belong here: the model, its keys and values
(`tree_attention`).

Sequences are sorted, so that a sequence shares the longest prefix with its predecessor. Walking them needs one stack of
keys and values, as deep as the longest sequence: each sequence keeps the prefix that it shares with the previous one,
drops the rest of the stack, and pushes its own tokens. A branch is freed when the walk leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


# Big-endian bytes sort like the token ids in them, a hundred times faster than lists.
_KEY = np.dtype(">u4")


def key(tokens: Sequence[int] | NDArray[Any]) -> bytes:
    """A token sequence as the trie takes it."""
    return np.asarray(tokens, _KEY).tobytes()


class Pool:
    """Nodes of earlier walks whose keys and values are kept for sequences of later ones, in numbered slots."""

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self._slots: dict[tuple[int, int], int] = {}  # by the slot of the parent, -1 for none, and the token

    def found(self, tokens: Ints, slots: Ints, begin: int) -> Ints:
        """Slots of a sequence's tokens from `begin` on, as far as they are kept; `slots` are those before."""
        found: list[int] = []
        parent = int(slots[begin - 1]) if begin else -1
        if begin and parent < 0:
            return np.empty(0, np.int64)
        for token in tokens[begin:].tolist():
            if (parent := self._slots.get((parent, token), -1)) < 0:
                break
            found.append(parent)
        return np.array(found, np.int64)

    def add(self, tokens: Ints, slots: Ints, end: int) -> range:
        """Keep a sequence's first tokens up to `end`, or as many as there is room for, and set their slots. Returns the
        places of those that were not kept before."""
        begin = place = int(np.count_nonzero(slots[:end] >= 0))
        for place in range(begin, end):
            node = int(slots[place - 1]) if place else -1, int(tokens[place])
            if node not in self._slots and len(self._slots) == self.size:
                return range(begin, place)
            slots[place] = self._slots.setdefault(node, len(self._slots))
        return range(begin, end)


@dataclass(frozen=True, slots=True)
class Segment:
    """What a sequence does not share with the previous one, from `depth` on: tokens that come from slots of the pool,
    then the consecutive nodes `begin` to `end` of the trie."""

    begin: int
    end: int
    depth: int
    pooled: Ints

    @property
    def length(self) -> int:
        """Of the whole sequence."""
        return self.depth + len(self.pooled) + self.end - self.begin


@dataclass(frozen=True, slots=True)
class Trie:
    """The distinct prefixes of the sequences, one node each, depth-first, without those that come from a pool.

    `tokens`, `depths` and `slots` have one entry per node: the slot is where the node is to be kept, else -1.
    `order` lists the sequences in the order of the walk, with one of `segments` each. `tails[i]` are the nodes of
    sequence i's last tokens, as many as requested.
    """

    tokens: Ints
    depths: Ints
    slots: Ints
    order: list[int]
    segments: list[Segment]
    tails: list[Ints]

    @classmethod
    def of(
        cls, keys: Sequence[bytes], tail_lengths: Sequence[int], kept: Sequence[int] = (), pool: Pool | None = None
    ) -> Trie:
        """The trie of sequences, given their keys; `tail_lengths`: for how many last tokens each needs the nodes.
        `kept`: how many first tokens of each are to be kept in the pool."""
        order = sorted(range(len(keys)), key=keys.__getitem__)
        tokens: list[Ints] = []
        segments: list[Segment] = []
        tails: list[Ints] = [np.empty(0, np.int64)] * len(keys)
        path = np.full(max(map(len, keys), default=0) // _KEY.itemsize, -1)
        slots, slot_of_node = path.copy(), dict[int, int]()
        previous, nodes = np.empty(0, np.int64), 0
        for index in order:
            current = np.frombuffer(keys[index], _KEY).astype(np.int64)
            size, tail = len(current), len(current) - tail_lengths[index]
            shared, pooled = _shared(previous, current), np.empty(0, np.int64)
            if (path[tail:shared] < 0).any():
                shared = tail  # the tail needs logits, which do not come from the pool
            if pool is not None:
                pooled = pool.found(current[:tail], slots, shared)
            begin = shared + len(pooled)
            added = size - begin
            path[shared:begin], slots[shared:begin] = -1, pooled
            path[begin:size], slots[begin:] = np.arange(nodes, nodes + added), -1
            if pool is not None:
                places = pool.add(current, slots, min(kept[index], size))
                slot_of_node |= {int(path[place]): int(slots[place]) for place in places}
            tails[index] = path[tail:size].copy()
            tokens.append(current[begin:])
            segments.append(Segment(nodes, nodes + added, shared, pooled))
            previous, nodes = current, nodes + added
        depths = [np.arange(s.length - (s.end - s.begin), s.length) for s in segments]
        by_node = np.full(nodes, -1)
        by_node[list(slot_of_node)] = list(slot_of_node.values())
        return cls(_joined(tokens), _joined(depths), by_node, order, segments, tails)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a segment. `kept`: the depth of the stack that is kept before the piece is pushed, its tokens from
    slots of the pool first. `slot`: the row, if any, that the whole sequence is copied to once it is complete."""

    begin: int
    end: int
    kept: int
    pooled: Ints
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pieces that attend in one call: tokens `begin` to `end` of a forward, after `kept` positions of the stack.

    They attend to the kept positions and then to the cluster's own keys: of the forward's tokens at the places `own` of
    the stack, and from slots `pooled` of the pool at the places `pooled_at`. `allowed` is the mask over all keys, one
    row per token; `positions` are the keys' positions. `path` are the keys on the stack afterwards, from position
    `path_from` on: those before it are already there.
    """

    begin: int
    end: int
    kept: int
    own: Ints
    pooled: Ints
    pooled_at: Ints
    positions: Ints
    allowed: Bools
    path_from: int
    path: Ints
    slot: int | None

    @property
    def depth(self) -> int:
        """How deep the stack is afterwards."""
        return self.path_from + len(self.path)


def pieces(segment: Segment, longest: int) -> Iterator[Piece]:
    """A segment's tokens in order, at most `longest` at a time."""
    depth, pooled = segment.depth, segment.pooled
    for begin in range(segment.begin, segment.end, longest):
        end = min(begin + longest, segment.end)
        yield Piece(begin, end, depth, pooled)
        depth, pooled = depth + len(pooled) + end - begin, pooled[:0]


def clusters(parts: Sequence[Piece], largest: int) -> list[Cluster]:
    """Group the pieces of one forward, in order, into clusters of at most `largest` tokens."""
    found: list[Cluster] = []
    group: list[Piece] = []
    at = size = 0
    for part in parts:
        length = part.end - part.begin
        if group and (size + length > largest or group[-1].slot is not None):
            found.append(_cluster(group, at))
            at, group, size = at + size, [], 0
        group.append(part)
        size += length
    if group:
        found.append(_cluster(group, at))
    return found


def _cluster(group: Sequence[Piece], begin: int) -> Cluster:
    kept = group[0].kept
    sizes = [len(part.pooled) + part.end - part.begin for part in group]
    starts = kept + np.cumsum([0, *sizes])
    positions = np.concatenate(
        [np.arange(kept), *(np.arange(part.kept, part.kept + size) for part, size in zip(group, sizes, strict=True))]
    )
    tokens = sum(part.end - part.begin for part in group)
    allowed = np.zeros((tokens, len(positions)), np.bool_)
    on_path = np.zeros(len(positions), np.bool_)
    on_path[:kept] = True
    own, pooled_at = [], []
    row, untouched = 0, kept
    for part, start, end in zip(group, starts, starts[1:], strict=False):
        length = part.end - part.begin
        untouched = min(untouched, part.kept)
        on_path &= positions < part.kept
        on_path[start : end - length] = True
        allowed[row : row + length] = on_path
        allowed[row : row + length, end - length : end] = np.tri(length, dtype=np.bool_)
        on_path[start:end] = True
        own.append(np.arange(end - length, end))
        pooled_at.append(np.arange(start, end - length))
        row += length
    path = np.flatnonzero(on_path)
    return Cluster(
        begin,
        begin + tokens,
        kept,
        _joined(own),
        _joined([part.pooled for part in group]),
        _joined(pooled_at),
        positions,
        allowed,
        untouched,
        path[untouched:],
        group[-1].slot,
    )


def _shared(one: Ints, other: Ints) -> int:
    """The length of the common prefix."""
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length


def _joined(arrays: Sequence[Ints]) -> Ints:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
