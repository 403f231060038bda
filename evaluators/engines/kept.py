"""What a task's requests share with each other is kept between calls: its keys and values, in a pool of their own.

Belongs here: how much of a request others begin with as well, judged by texts, and how much memory a task may occupy.
Does not belong here: which tokens are in a pool (`prefix_trie`), and their keys and values (`tree_attention`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from evaluators.engines.prefix_trie import Pool
from evaluators.engines.tree_attention import Cache


class Kept:
    """A task's texts, and the cache of what they share: None before the first walk and where it was dropped."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = sorted(set(texts))
        self.cache: Cache | None = None

    def __contains__(self, text: str) -> bool:
        place = bisect_left(self._texts, text)
        return self._texts[place : place + 1] == [text]

    def shared(self, text: str) -> int:
        """How many first characters of a text some other text of the task has as well."""
        place = bisect_left(self._texts, text)
        return max(
            (_common(text, other) for other in self._texts[max(0, place - 1) : place + 2] if other != text), default=0
        )


class Keeper:
    """The tasks for which something is kept."""

    def __init__(self) -> None:
        self._tasks: list[Kept] = []

    @contextmanager
    def keeping(self, texts: Iterable[str]) -> Iterator[None]:
        task = Kept(texts)
        self._tasks.append(task)
        try:
            yield
        finally:
            self._tasks.remove(task)

    def task(self, text: str) -> Kept | None:
        """The task that has a text."""
        return next((task for task in self._tasks if text in task), None)

    @property
    def bytes(self) -> int:
        return sum(task.cache.pool_bytes for task in self._tasks if task.cache is not None)

    @contextmanager
    def cache(self, task: Kept | None, most_bytes: int, position_bytes: int) -> Iterator[Cache]:
        """The cache for a walk through requests of a task, lost if the walk fails. Tasks that have none yet get equal
        shares of what is left, and keep them: where tasks take turns, the one that was dropped would be the next."""
        if task is None:
            yield Cache()
            return
        if task.cache is None:
            others = [other.cache.pool for other in self._tasks if other.cache is not None]
            left = most_bytes // max(position_bytes, 1) - sum(pool.size for pool in others if pool is not None)
            task.cache = Cache(Pool(max(0, left) // (len(self._tasks) - len(others))))
        cache, task.cache = task.cache, None
        yield cache
        cache.clear()
        task.cache = cache

    def drop(self) -> None:
        """Free all memory."""
        for task in self._tasks:
            task.cache = None


def _common(one: str, other: str) -> int:
    """The length of the common beginning, by halving."""
    return bisect_left(range(1, min(len(one), len(other)) + 1), True, key=lambda size: one[:size] != other[:size])
