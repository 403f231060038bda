"""The questions are questions, and short. That they are answered is tested where marts are built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.example_queries import OWN, QUERIES, STUDY


def test_there_are_twenty_two_of_them_and_the_studys_six_among_them() -> None:
    assert (len(OWN), len(STUDY)) == (16, 6)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.stem)
def test_each_opens_with_its_question_and_is_short(query: Path) -> None:
    question, *statement = query.read_text(encoding="utf-8").splitlines()
    assert question.startswith("-- ")
    assert "?" in question
    assert len(question) <= 120
    assert len(statement) <= 20, "a question that takes more asks for another mart"
