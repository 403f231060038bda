"""In which order a task's documents are asked where not all of them may be: as good as random, and always the same.

Nothing is drawn, so nothing has to be stored: a run that continues another finds its place, and nobody can draw again
until the answer suits. Models are asked in different orders, so that no document is in everybody's part. The first
documents of a task would be a biased sample, for which no claim of `statistics` holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evaluators.hashing import digest


def asking_order(order_key: str, task_hash: str, document_hashes: Sequence[str]) -> list[int]:
    """Positions of the documents, in the order in which the model is asked them. `order_key`: what of the
    model decides its answers."""
    copies = Counter[str]()
    keys = []
    for document in document_hashes:
        keys.append(digest([order_key, task_hash, document, copies[document]]))
        copies[document] += 1
    return sorted(range(len(keys)), key=keys.__getitem__)
