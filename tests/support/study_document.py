"""docs/study.md: its queries and the answers that stand under them.

`python -m tests.support.study_document WAREHOUSE` writes the answers anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from orchestration.cli.plain_table import plain_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "study.md"
_ANSWERED = re.compile(r"```sql\n(?P<query>.*?)```\n\n```\n(?P<answer>.*?)```\n", re.DOTALL)


def answers(text: str) -> list[tuple[str, str]]:
    """Every query of the document with the answer under it."""
    return [(found["query"], found["answer"]) for found in _ANSWERED.finditer(text)]


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """What `evalwatt sql` prints, without blanks at the ends of lines."""
    result = connection.execute(query)
    lines = plain_table([column[0] for column in result.description or ()], result.fetchall()).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def rewritten(text: str, answered: Callable[[str], str]) -> str:
    """The document with the answers that `answered` gives."""
    return _ANSWERED.sub(lambda found: f"```sql\n{found['query']}```\n\n```\n{answered(found['query'])}```\n", text)


if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
        DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8"), lambda query: answer(warehouse, query)))
