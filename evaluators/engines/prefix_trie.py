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


@dataclass(frozen=True, slots=True)
class Segment:
    """The consecutive nodes `begin` to `end` of the trie: a distinct sequence's tokens from `depth` on."""

    begin: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Trie:
    """The distinct prefixes of the sequences, one node each, depth-first.

    `tokens` and `depths` have one entry per node. `order` lists the sequences in the order of the walk, with one of
    `segments` each. `tails[i]` are the nodes of sequence i's last tokens, as many as requested.
    """

    tokens: Ints
    depths: Ints
    order: list[int]
    segments: list[Segment]
    tails: list[Ints]

    @classmethod
    def of(cls, keys: Sequence[bytes], tail_lengths: Sequence[int]) -> Trie:
        """The trie of sequences, given their keys; `tail_lengths`: for how many last tokens each needs the nodes."""
        order = sorted(range(len(keys)), key=keys.__getitem__)
        tokens: list[Ints] = []
        segments: list[Segment] = []
        tails: list[Ints] = [np.empty(0, np.int64)] * len(keys)
        path = np.empty(max(map(len, keys), default=0) // _KEY.itemsize, np.int64)
        previous, nodes = np.empty(0, np.int64), 0
        for index in order:
            current = np.frombuffer(keys[index], _KEY).astype(np.int64)
            shared = _shared(previous, current)
            added = len(current) - shared
            path[shared : len(current)] = np.arange(nodes, nodes + added)
            tails[index] = path[len(current) - tail_lengths[index] : len(current)].copy()
            tokens.append(current[shared:])
            segments.append(Segment(nodes, nodes + added, shared))
            previous, nodes = current, nodes + added
        depths = [np.arange(s.depth, s.depth + s.end - s.begin) for s in segments]
        return cls(_joined(tokens), _joined(depths), order, segments, tails)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a segment. `kept`: the depth of the stack that is kept before the piece is pushed. `slot`: the row, if
    any, that the whole sequence is copied to once it is complete."""

    begin: int
    end: int
    kept: int
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pieces that attend in one call: tokens `begin` to `end` of a forward, after `kept` positions of the stack.

    They attend to the kept positions and then to the cluster's own tokens. `allowed` is the mask over these keys, one
    row per token; `positions` are the keys' positions. `path` are the keys on the stack afterwards, from position
    `path_from` on: those before it are already there.
    """

    begin: int
    end: int
    kept: int
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
    for begin in range(segment.begin, segment.end, longest):
        yield Piece(begin, min(begin + longest, segment.end), segment.depth + begin - segment.begin)


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
    size = sum(part.end - part.begin for part in group)
    positions = np.concatenate(
        [np.arange(kept), *(np.arange(part.kept, part.kept + part.end - part.begin) for part in group)]
    )
    allowed = np.zeros((size, kept + size), np.bool_)
    on_path = np.zeros(kept + size, np.bool_)
    on_path[:kept] = True
    row, untouched = 0, kept
    for part in group:
        length = part.end - part.begin
        untouched = min(untouched, part.kept)
        on_path &= positions < part.kept
        own = slice(kept + row, kept + row + length)
        allowed[row : row + length] = on_path
        allowed[row : row + length, own] = np.tri(length, dtype=np.bool_)
        on_path[own] = True
        row += length
    path = np.flatnonzero(on_path)
    return Cluster(begin, begin + size, kept, positions, allowed, untouched, path[untouched:], group[-1].slot)


def _shared(one: Ints, other: Ints) -> int:
    """The length of the common prefix."""
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length


def _joined(arrays: Sequence[Ints]) -> Ints:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
