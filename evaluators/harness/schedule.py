"""Which documents of a task are asked before each look at its answers.

Belongs here: looks as places of the order in which documents are asked. Does not belong here: how many documents a look
is planned for (`statistics.looks`, `statistics.suites`), or what it shows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.harness.asking import DocumentToAsk
from evaluators.harness.order import asking_order


@dataclass(frozen=True, slots=True)
class Schedule:
    """`order`: the documents' places in the data, as they are asked. `looks`: how many are asked by each look; as many
    looks as were planned, of which one may add nothing to the one before."""

    order: tuple[int, ...]
    looks: tuple[int, ...]

    @classmethod
    def of(cls, model_key: str, task_hash: str, documents: Sequence[DocumentToAsk], planned: Sequence[int]) -> Schedule:
        """For a model and a task with these documents. A look that cuts a passage is moved to its end, because a sample
        of documents that share passages is one of passages."""
        hashes = [document.document_hash for document in documents]
        passages = [document.passage for document in documents if document.passage is not None]  # of all, or of none
        if not passages:
            return cls(tuple(asking_order(model_key, task_hash, hashes)), tuple(planned))
        order = asking_order(model_key, task_hash, hashes, passages)
        return cls(tuple(order), _at_ends([passages[place] for place in order], planned))

    def between(self, first: int, last: int) -> list[int]:
        """Places of the documents from the position `first` of the order up to, not including, `last`: in the data's
        order, in which requests reach the model."""
        return sorted(self.order[first:last])


def _at_ends(passages: Sequence[str], planned: Sequence[int]) -> tuple[int, ...]:
    """The looks, each at the first end of a passage from there on."""
    ends = [number for number in range(1, len(passages)) if passages[number] != passages[number - 1]]
    ends.append(len(passages))
    return tuple(ends[bisect_left(ends, look)] for look in planned)
