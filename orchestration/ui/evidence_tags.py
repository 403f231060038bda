"""The tags that say what an asset rests on: your metered evaluations, the leaderboard's table, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluators.records import LeaderboardSnapshot

MEASURED = {"evidence/measured": ""}
LEADERBOARD = {"evidence/leaderboard": ""}
BOTH = MEASURED | LEADERBOARD


def of_raw_table(table: str) -> dict[str, str]:
    """The tags of a table of schema raw; `loads` contains both kinds."""
    return {LeaderboardSnapshot.table: LEADERBOARD, "loads": BOTH}.get(table, MEASURED)


def of_dbt_models(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Tags by dbt's unique id: those of all raw tables that a model is built from, except `loads`."""
    found = {
        key: {} if source["name"] == "loads" else of_raw_table(source["name"])
        for key, source in manifest["sources"].items()
    }

    def of(key: str) -> dict[str, str]:
        if key not in found:
            found[key] = {tag: "" for parent in manifest["parent_map"].get(key, ()) for tag in of(parent)}
        return found[key]

    return {key: of(key) for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
