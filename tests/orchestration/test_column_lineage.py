"""The lineage of columns, on SQL whose answer can be read off. The project's own models: test_marts.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestration.dbt_artifacts import column_lineage
from orchestration.dbt_artifacts.column_lineage import kept


def manifest(**models: str) -> dict[str, Any]:
    """Models of these names in schema `s`, each depending on what its SQL names; the source `raw.t` has a and b."""
    nodes = {
        name: {
            "resource_type": "model",
            "schema": "s",
            "alias": name,
            "columns": {},
            "compiled_code": sql,
            "depends_on": {
                "nodes": [other for other in ("t", *models) if other != name and re.search(rf"\b{other}\b", sql)]
            },
        }
        for name, sql in models.items()
    }
    source = {"resource_type": "source", "schema": "raw", "identifier": "t", "columns": {"a": {}, "b": {}}}
    return {"nodes": nodes, "sources": {"t": source}}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a, a + b as c, 1 as one, count(*) as n from w.raw.t", {"a": "a", "c": "ab", "one": "", "n": ""}),
        (
            "with x as (select * from raw.t) select x.*, (select max(b) from raw.t) as d from x",
            {"a": "a", "b": "b", "d": "b"},
        ),
        ("from raw.t select b as a, a as b", {"a": "b", "b": "a"}),
        ("select a, 1 as k from raw.t union all by name select b as k, a from raw.t", {"a": "a", "k": "b"}),
        (
            "with u as (select 1 as x, a as y from raw.t union all by name select a as z from raw.t "
            "union all by name select b as y, b as x from raw.t) select * from u",
            {"x": "b", "y": "ab", "z": "a"},
        ),
        ("select sum(b) filter (where a > 0) over (order by a) as s from raw.t", {"s": "ab"}),
    ],
)
def test_columns_come_from_where_the_sql_reads_them(sql: str, expected: dict[str, str]) -> None:
    found = column_lineage.column_lineage(manifest(m=sql))["m"]
    assert {column: "".join(name for _, name in sources) for column, sources in found.items()} == expected
    assert {parent for sources in found.values() for parent, _ in sources} <= {"t"}


def test_an_incremental_model_reads_itself_which_is_no_source() -> None:
    models = manifest(m="select a, b from raw.t where a not in (select a from s.m)")
    models["nodes"]["m"]["columns"] = {"a": {}, "b": {}}
    assert column_lineage.column_lineage(models) == {"m": {"a": [("t", "a")], "b": [("t", "b")]}}


def test_what_cannot_be_read_is_left_out_and_ends_its_childrens_lineage_only_there() -> None:
    broken = "select a as x from raw.t union all by name (select a as x from raw.t union all select b as x from raw.t)"
    found = column_lineage.column_lineage(
        manifest(odd=broken, worse="selec a from raw.t (", m="select x, t.a from s.odd, raw.t")
    )
    assert set(found) == {"m"}
    assert found["m"]["a"] == [("t", "a")]


def test_it_is_made_once_for_a_project(tmp_path: Path) -> None:
    file, one, other = tmp_path / "lineage.json", manifest(m="select a from raw.t"), manifest(m="select b from raw.t")
    assert set(kept(file, "project 1", one)["m"]) == {"a"}
    assert set(kept(file, "project 1", other)["m"]) == {"a"}
    assert set(kept(file, "project 2", other)["m"]) == {"b"}
    file.write_text("{half")
    assert set(kept(file, "project 2", other)["m"]) == {"b"}
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
