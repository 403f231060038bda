"""The questions in examples/queries: each file is one query, and its first comment is the question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from orchestration.home import PROJECT

QUERIES = sorted((PROJECT / "examples" / "queries").glob("*.sql"))
STUDY = [query for query in QUERIES if query.stem.startswith("study_")]
OWN = [query for query in QUERIES if query not in STUDY]


def answer_to(query: Path, connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The answer's rows, by column."""
    result = connection.execute(query.read_text(encoding="utf-8"))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
