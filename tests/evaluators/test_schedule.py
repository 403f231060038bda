"""Looks in places of the order in which documents are asked: of a task, of a suite's tasks, and for a width."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from evaluators import engines
from evaluators.catalogue.entries import load
from evaluators.harness.asking import Asking, DocumentToAsk
from evaluators.harness.lm_eval_tasks import Harness
from evaluators.harness.order import asking_order
from evaluators.harness.schedule import Schedule
from evaluators.statistics import looks, suites
from tests.support import tiny


def documents(count: int, a_passage: int = 0) -> list[DocumentToAsk]:
    """With `a_passage`, so many ask about one passage."""
    return [
        DocumentToAsk(place, f"document {place}", f"passage {place // a_passage}" if a_passage else None)
        for place in range(count)
    ]


def chunks(found: Schedule) -> list[list[int]]:
    return [found.between(first, last) for first, last in itertools.pairwise((0, *found.looks))]


@pytest.mark.parametrize("planned", [looks.of_task(200), looks.of_width(200)], ids=["task", "width"])
def test_chunks_cover_the_task_each_document_once(planned: tuple[int, ...]) -> None:
    found = Schedule.of("a model", "a task", documents(200), planned)
    assert found.looks == planned
    assert list(found.order) == asking_order("a model", "a task", [f"document {place}" for place in range(200)])
    assert [len(chunk) for chunk in chunks(found)] == [
        last - first for first, last in itertools.pairwise((0, *planned))
    ]
    assert sorted(itertools.chain(*chunks(found))) == list(range(200))


def test_a_chunk_is_in_the_datas_order_and_holds_what_is_next_to_be_asked() -> None:
    found = Schedule.of("a model", "a task", documents(200), looks.of_task(200))
    first, second = chunks(found)[:2]
    assert set(first) == set(found.order[:32])
    assert set(second) == set(found.order[32:40])
    assert first == sorted(first) != list(found.order[:32])
    assert found.between(35, 40) == sorted(found.order[35:40]), "for a run that goes on with a part"


def test_a_suite_asks_as_many_of_each_task_as_it_has() -> None:
    totals = (100, 400, 50)
    planned = suites.planned_looks([suites.Task(total) for total in totals])
    found = [
        Schedule.of("a model", f"task {number}", documents(total), of_task)
        for number, (total, of_task) in enumerate(zip(totals, zip(*planned, strict=True), strict=True))
    ]
    assert {len(each.looks) for each in found} == {len(planned)}
    sizes = [[len(chunk) for chunk in chunks(each)] for each in found]
    assert [size[0] for size in sizes] == [32, 32, 32]
    assert sizes[2] == [32, 13, 5, *[0] * (len(planned) - 3)]
    assert [sum(size) for size in sizes] == list(totals)


@pytest.mark.parametrize("a_passage", [3, 4, 30])
def test_a_look_is_at_the_end_of_a_passage(a_passage: int) -> None:
    planned = looks.of_task(240)
    found = Schedule.of("a model", "a task", documents(240, a_passage), planned)
    assert len(found.looks) == len(planned)
    assert found.looks[-1] == 240
    for look, wanted in zip(found.looks, planned, strict=True):
        assert 0 <= look - wanted < a_passage
        assert look % a_passage == 0
    for chunk in chunks(found):
        passages = {place // a_passage for place in chunk}
        assert len(chunk) == a_passage * len(passages)


def test_passages_of_different_lengths() -> None:
    lengths = [5, 1, 2, 7, 1, 4]
    passages = [f"passage {number}" for number, length in enumerate(lengths) for _ in range(length)]
    found = Schedule.of(
        "a model", "a task", [DocumentToAsk(i, f"{i}", name) for i, name in enumerate(passages)], [1, 6, 12, 20]
    )
    for look in found.looks[:-1]:
        assert passages[found.order[look - 1]] != passages[found.order[look]]


def test_the_documents_of_musr_have_their_narrative_as_passage(tmp_path: Path) -> None:
    names = ("leaderboard_musr_murders", "tiny_one")
    tiny.save_tasks(tmp_path / "tasks", names, documents=6)
    for name in names:
        path = tmp_path / "tasks" / f"{name}.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        told = [line | {"narrative": f"the sky is {tiny.WORDS[number // 2]}"} for number, line in enumerate(lines)]
        path.write_text("".join(json.dumps(line) + "\n" for line in told))
    tiny.save_model(tmp_path / "model")
    tiny.save_catalogue(tmp_path, tasks=list(names), models=[tiny.model_entry("any", "model")])
    suite = load(tmp_path / "catalogue.yml").suite("tiny")
    (musr, other), _ = Harness(suite, tmp_path, tmp_path / "nltk").load(model_uses_template=False)
    lm = engines.load("transformers", tmp_path / "model", dtype="float32", device="cpu", batch_size=1).lm
    found = Asking(musr, lm, lm, 1234).documents
    assert [document.passage for document in found] == [f"the sky is {tiny.WORDS[n // 2]}" for n in range(6)]
    assert Schedule.of("a model", musr.task_hash, found, [1, 3, 6]).looks == (2, 4, 6)
    assert {document.passage for document in Asking(other, lm, lm, 1234).documents} == {None}
