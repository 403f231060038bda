"""Who reads the marts: dbt's exposures against the SQL that the consumers run, in both directions."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse

from orchestration.dbt_artifacts.column_lineage import DIALECT
from orchestration.dbt_artifacts.data_dictionary import marts_in
from orchestration.dbt_artifacts.manifest import manifest
from orchestration.home import PROJECT
from orchestration.warehouse.marts_files import SCHEMA

PUBLICATION = "publication"  # the build's own row: no model of dbt's
SQL = re.compile(r"(\s|--[^\n]*\n)*(select|with|from)\s")  # in lower case, as no sentence begins
PARQUET = re.compile(r"((?:dim|fct|mart)_\w+)\.parquet")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(manifest().read_bytes()))


def texts(file: Path) -> Iterator[str]:
    """A file of SQL, or the texts in a module."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".sql":
        yield text
    else:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def marts_read(file: Path) -> set[str]:
    """The marts that a file's SQL names, and those whose Parquet file it names."""
    return {name for text in texts(file) for name in _named(text)} - {PUBLICATION}


def _named(text: str) -> Iterator[str]:
    if parquet := PARQUET.fullmatch(text):
        yield parquet[1]
    elif f"{SCHEMA}." in text and SQL.match(text):
        for statement in parse(text, dialect=DIALECT):
            yield from (t.name for t in statement.find_all(exp.Table) if t.db == SCHEMA) if statement else ()


def files_of(exposure: dict[str, Any]) -> set[Path]:
    found = {file for pattern in exposure["meta"]["reads_in"] for file in PROJECT.glob(pattern)}
    assert found, f"{exposure['name']} reads in files that are not there"
    return found


def test_an_exposure_depends_on_what_its_consumer_reads(document: dict[str, Any]) -> None:
    for exposure in document["exposures"].values():
        said = {parent.rpartition(".")[2] for parent in exposure["depends_on"]["nodes"]}
        assert said == set().union(*map(marts_read, files_of(exposure))), exposure["name"]


def test_whoever_reads_marts_is_an_exposure(document: dict[str, Any]) -> None:
    exposed = set().union(*map(files_of, document["exposures"].values()))
    files = [file for folder in ("orchestration", "examples") for file in (PROJECT / folder).rglob("*.*")]
    reading = {file for file in files if file.suffix in (".py", ".sql") and marts_read(file)}
    assert reading <= exposed, sorted(str(file.relative_to(PROJECT)) for file in reading - exposed)


def test_every_mart_is_read(document: dict[str, Any]) -> None:
    read = {parent for exposure in document["exposures"].values() for parent in exposure["depends_on"]["nodes"]}
    assert read == {mart["unique_id"] for mart in marts_in(document).values()}
