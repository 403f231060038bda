"""The order in which documents are asked: fixed, the same however the task lists them, and as good as random."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from scipy.stats import binom, chisquare

from evaluators.harness.order import asking_order

DOCUMENTS = [f"document {number}" for number in range(100)]


def test_the_order_is_settled() -> None:
    """Runs that were stopped are continued by later versions: a change here would ask documents twice."""
    assert asking_order("a model", "a task", DOCUMENTS[:8]) == [1, 4, 6, 0, 7, 2, 5, 3]


def test_every_document_is_asked_once() -> None:
    assert sorted(asking_order("a model", "a task", DOCUMENTS)) == list(range(100))
    assert asking_order("a model", "a task", []) == []


def test_a_task_that_lists_its_documents_otherwise_asks_them_in_the_same_order() -> None:
    shuffled = random.Random(1).sample(DOCUMENTS, 100)
    listed, relisted = (
        [documents[position] for position in asking_order("a model", "a task", documents)]
        for documents in (DOCUMENTS, shuffled)
    )
    assert listed == relisted


def test_documents_that_are_equal_have_places_of_their_own() -> None:
    order = asking_order("a model", "a task", ["same"] * 50)
    assert sorted(order) == list(range(50))
    assert order != list(range(50))


@pytest.mark.parametrize(("model_key", "task_hash"), [("another model", "a task"), ("a model", "another task")])
def test_models_and_tasks_have_orders_of_their_own(model_key: str, task_hash: str) -> None:
    assert asking_order(model_key, task_hash, DOCUMENTS) != asking_order("a model", "a task", DOCUMENTS)


def test_every_document_is_as_likely_in_a_part() -> None:
    """Among the first 32 of 100, over many models; and two of them no likelier together."""
    models, part = 1500, 32
    parts = [asking_order(f"model {number}", "a task", DOCUMENTS)[:part] for number in range(models)]
    counts = Counter(position for each in parts for position in each)
    # A part draws without replacement, which makes the counts vary less than the test assumes.
    assert chisquare([counts[position] for position in range(100)]).pvalue > 0.001
    together = sum(0 in each and 1 in each for each in parts)
    expected = binom(models, part * (part - 1) / (100 * 99))
    assert 0.001 < expected.cdf(together) < 0.999
