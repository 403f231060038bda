"""Requests as a trie: every distinct prefix once, and nobody attends to anything but its own ancestors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.engines.prefix_trie import Pool, Trie, clusters, key, pieces

Sequences = list[list[int]]
Prefix = tuple[int, ...]
Sizes = tuple[int, int, int]

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=9)


def prefixes(sequences: Sequences) -> set[tuple[int, ...]]:
    return {tuple(sequence[:end]) for sequence in sequences for end in range(1, len(sequence) + 1)}


def walked(sequences: Sequences, longest: int, largest: int, budget: int) -> dict[int, tuple[int, ...]]:
    """The tokens that each node attends to, itself included, by the clusters and a stack as the model keeps it."""
    trie = Trie.of([key(sequence) for sequence in sequences], [1] * len(sequences))
    parts = [part for segment in trie.segments for part in pieces(segment, longest)]
    forwards = [parts[at : at + budget] for at in range(0, len(parts), budget)]
    stack: list[int] = []
    seen: dict[int, tuple[int, ...]] = {}
    for forward in forwards:
        begin = forward[0].begin
        for cluster in clusters(forward, largest):
            nodes = range(begin + cluster.begin, begin + cluster.end)
            assert len(nodes) <= max(largest, longest)
            stack = [*stack[: cluster.kept], *nodes]
            assert [trie.depths[node] for node in stack] == cluster.positions.tolist()
            for node, row in zip(nodes, cluster.allowed, strict=True):
                assert max(np.flatnonzero(row)) == stack.index(node), "a token sees what comes behind it"
                seen[node] = tuple(int(trie.tokens[stack[at]]) for at in np.flatnonzero(row))
            kept = [stack[at] for at in cluster.path]
            stack[cluster.path_from : cluster.depth] = kept
            del stack[cluster.depth :]
    assert list(seen) == list(range(len(trie.tokens)))
    return seen


@given(SEQUENCES)
def test_each_distinct_prefix_is_one_node(sequences: Sequences) -> None:
    trie = Trie.of([key(sequence) for sequence in sequences], [len(sequence) for sequence in sequences])
    assert len(trie.tokens) == len(trie.depths) == len(prefixes(sequences))
    assert sorted(trie.order) == list(range(len(sequences)))
    for sequence, nodes in zip(sequences, trie.tails, strict=True):
        assert trie.tokens[nodes].tolist() == sequence
        assert trie.depths[nodes].tolist() == list(range(len(sequence)))


@given(SEQUENCES, st.data())
def test_tails_are_the_last_tokens(sequences: Sequences, data: st.DataObject) -> None:
    lengths = [data.draw(st.integers(1, len(sequence))) for sequence in sequences]
    trie = Trie.of([key(sequence) for sequence in sequences], lengths)
    for sequence, length, nodes in zip(sequences, lengths, trie.tails, strict=True):
        assert trie.tokens[nodes].tolist() == sequence[-length:]


@given(SEQUENCES, st.integers(1, 4), st.integers(1, 12), st.integers(1, 4))
@settings(max_examples=300)
def test_a_node_attends_to_its_ancestors_and_itself(
    sequences: Sequences, longest: int, largest: int, budget: int
) -> None:
    seen = walked(sequences, longest, largest, budget)
    assert len(set(seen.values())) == len(seen)
    assert set(seen.values()) == prefixes(sequences)


def walked_with_a_pool(
    sequences: Sequences, tails: list[int], kept: list[int], pool: Pool, contents: dict[int, Prefix], sizes: Sizes
) -> dict[int, Prefix]:
    """The tokens that each node attends to, itself included. `contents`: of the pool's slots, as the model has them."""
    longest, largest, budget = sizes
    trie = Trie.of([key(sequence) for sequence in sequences], tails, kept, pool)
    parts = [part for segment in trie.segments for part in pieces(segment, longest)]
    stack: list[Prefix] = []
    seen: dict[int, Prefix] = {}
    for forward in (parts[at : at + budget] for at in range(0, len(parts), budget)):
        for cluster in clusters(forward, largest):
            stack = stack[: cluster.kept] + [()] * (len(cluster.positions) - cluster.kept)
            for place, slot in zip(cluster.pooled_at, cluster.pooled, strict=True):
                stack[place] = contents[int(slot)]
            nodes = range(forward[0].begin + cluster.begin, forward[0].begin + cluster.end)
            for node, place, row in zip(nodes, cluster.own, cluster.allowed, strict=True):
                *before, itself = np.flatnonzero(row)
                assert itself == place
                seen[node] = stack[place] = (*(stack[at][-1] for at in before), int(trie.tokens[node]))
                assert [stack[at] for at in before] == [seen[node][:end] for end in range(1, len(before) + 1)]
                assert trie.depths[node] == len(before)
            assert [len(prefix) - 1 for prefix in stack] == cluster.positions.tolist()
            stack[cluster.path_from : cluster.depth] = [stack[at] for at in cluster.path]
            del stack[cluster.depth :]
        for node in range(forward[0].begin, forward[-1].end):
            if trie.slots[node] >= 0:
                assert contents.setdefault(int(trie.slots[node]), seen[node]) == seen[node]
    assert list(seen) == list(range(len(trie.tokens)))
    for sequence, length, last in zip(sequences, tails, trie.tails, strict=True):
        assert [seen[node] for node in last] == [tuple(sequence[:end]) for end in ends(sequence)[-length:]]
    for index, segment in zip(trie.order, trie.segments, strict=True):
        assert segment.length == len(sequences[index])
    return seen


def ends(sequence: list[int]) -> list[int]:
    return list(range(1, len(sequence) + 1))


CALLS = st.lists(SEQUENCES, min_size=1, max_size=4)
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 4))


@given(CALLS, SIZES, st.integers(0, 40), st.data())
@settings(max_examples=200)
def test_what_comes_from_a_pool_is_what_was_kept(
    calls: list[Sequences], sizes: Sizes, room: int, data: st.DataObject
) -> None:
    pool, contents = Pool(room), dict[int, Prefix]()
    for sequences in calls:
        tails = [data.draw(st.integers(1, len(sequence))) for sequence in sequences]
        kept = [data.draw(st.integers(0, len(sequence) + 1)) for sequence in sequences]
        walked_with_a_pool(sequences, tails, kept, pool, contents, sizes)
        assert len(set(contents.values())) == len(contents) <= room


@given(CALLS, SIZES)
def test_what_is_kept_is_read_once(calls: list[Sequences], sizes: Sizes) -> None:
    pool, contents, nodes = Pool(10**6), dict[int, Prefix](), 0
    for sequences in calls:
        whole = [[*sequence, 7, number] for number, sequence in enumerate(sequences)]
        kept = [len(sequence) for sequence in sequences]
        nodes += len(walked_with_a_pool(whole, [1] * len(whole), kept, pool, contents, sizes))
    shared = prefixes([sequence for sequences in calls for sequence in sequences])
    assert set(contents.values()) == shared
    assert nodes == len(shared) + sum(
        len(prefixes(sequences) & set(map(tuple, sequences))) for sequences in calls
    ) + sum(map(len, calls))


@pytest.mark.parametrize(("tokens", "nodes"), [([[70_000, 1], [70_000, 2], [3]], 4), ([[1], [256], [65_536]], 3)])
def test_large_token_ids_keep_their_order(tokens: Sequences, nodes: int) -> None:
    trie = Trie.of([key(each) for each in tokens], [1] * len(tokens))
    assert len(trie.tokens) == nodes
    assert [tokens[index] for index in trie.order] == sorted(tokens)


def test_no_requests_are_an_empty_trie() -> None:
    trie = Trie.of([], [])
    assert (len(trie.tokens), trie.segments, trie.order) == (0, [], [])
    assert clusters([], 4) == []
