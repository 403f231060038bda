"""The data dictionary: dbt's YAML on the marts, as Markdown for people.

`python -m orchestration.dbt_artifacts.data_dictionary` writes docs/data_dictionary.md; a test fails if that is stale.
Dagster's page of a mart shows the same entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from orchestration.dbt_artifacts.manifest import manifest
from orchestration.home import PROJECT
from orchestration.warehouse.marts_files import SCHEMA

DOCUMENT = PROJECT / "docs" / "data_dictionary.md"
REGENERATE = "python -m orchestration.dbt_artifacts.data_dictionary"

_PREAMBLE = f"""\
# Data dictionary

The published tables: what a row is, its key, and every column. Generated from dbt's YAML by `{REGENERATE}`.

Each table is `marts.<name>` for `evalwatt sql`, and `published/current/parquet/<name>.parquet` for everything else.
What is not known is NULL, and a column that ends in `_reason` says why. `_low` and `_high` are the ends of a 95 %
interval.
"""
# Column names contain their units; the first match counts.
_UNITS = tuple(
    (re.compile(pattern), unit)
    for pattern, unit in (
        (r"rank|_reason$|_method$|_hash$|_valid_for$", ""),
        (r"_ratio(_|$)|multiplier|factor$|^pue$", "ratio"),
        (r"_share$", "share, 0 to 1"),
        (r"score_per_kg", "points per kg CO2e"),
        (r"_g_per_kwh$", "g CO2e per kWh"),
        (r"_kwh(_|$)", "kWh"),
        (r"_kg(_|$)", "kg CO2e"),
        (r"joules_per_correct", "J per correct answer"),
        (r"joules_per_request", "J per request"),
        (r"joules_per_.*token", "J per token"),
        (r"^joules_saved$", "J"),
        (r"params.*_b$", "billion"),
        (r"_s$", "s"),
        (r"^hours$", "h"),
        (r"_at$", "UTC"),
    )
)


def dictionary(marts: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole document."""
    contents = "\n".join(f"- [{name}](#{name})" for name in marts)
    return "\n".join([_PREAMBLE, contents, *(f"\n## {name}\n\n{entry(mart)}" for name, mart in marts.items())]) + "\n"


def entry(mart: Mapping[str, Any]) -> str:
    """A mart's description, key, reasons and columns; `mart` is one of `marts_in`."""
    columns = mart["columns"].values()
    reasons = [f"`{column['name']}`" for column in columns if column["name"].endswith("reason")]
    lines = [mart["description"].strip(), "", f"Key: {', '.join(f'`{column}`' for column in mart['key'])}."]
    if reasons:
        lines.append(f"Columns with reasons: {', '.join(reasons)}.")
    lines += ["", "| column | type | unit | NULL | what it is |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_row, columns)])


def marts_in(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The marts of dbt's manifest by name: their nodes, each with the columns of its primary-key test as `key`."""
    keys = {
        node["attached_node"]: node["test_metadata"]["kwargs"]["columns"]
        for node in document["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "primary_key"
    }
    marts = {
        node["name"]: {**node, "key": keys[key]}
        for key, node in document["nodes"].items()
        if node["resource_type"] == "model" and node["config"]["schema"] == SCHEMA
    }
    return dict(sorted(marts.items()))


def unit(column: str) -> str:
    """The unit in a column's name; empty if it has none."""
    return next((unit for pattern, unit in _UNITS if pattern.search(column)), "")


def is_never_null(column: Mapping[str, Any]) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def _row(column: Mapping[str, Any]) -> str:
    cells = [
        f"`{column['name']}`",
        column["data_type"],
        unit(column["name"]) if column["data_type"] not in ("varchar", "boolean") else "",
        "never" if is_never_null(column) else "may be",
        " ".join(column["description"].split()).replace("|", "\\|"),
    ]
    return f"| {' | '.join(cells)} |"


def document() -> str:
    """The expected content of docs/data_dictionary.md. Raises ManifestError if dbt cannot parse the project."""
    return dictionary(marts_in(json.loads(manifest().read_bytes())))


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    print(f"wrote {DOCUMENT}")
