"""Imported leaderboard states as Dagster shows them: one partition per day, and a materialization with its facts.

Belongs here: reporting states to an instance that `evalwatt import-leaderboard` imported outside its runs.
The asset itself is in `defs.leaderboard`.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from evaluators.leaderboards.states import Imported
from orchestration.home import Home
from orchestration.instance.opening import open_instance

STATES = dg.DynamicPartitionsDefinition(name="leaderboard_states")
STATES_KEY = dg.AssetKey("leaderboard_states")


def facts(state: Imported) -> dict[str, dg.MetadataValue]:
    """A state's facts as metadata of its materialization."""
    found: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(state.rows),
        "state_sha256": dg.MetadataValue.text(state.sha256),
        "source": dg.MetadataValue.text(state.source),
        "new": dg.MetadataValue.bool(state.new),
        "rows_quarantined": dg.MetadataValue.int(state.quarantined_rows),
    }
    if state.quarantine is not None:
        found["quarantine"] = dg.MetadataValue.path(str(state.quarantine))
    return found


def report(home: Home, states: Sequence[Imported]) -> None:
    """Report the states that Dagster does not know yet, including those of an import that was killed."""
    name = str(STATES.name)
    with open_instance(home) as instance:
        known = set(instance.get_dynamic_partitions(name))
        unknown = {state.day.isoformat(): state for state in states if state.new or state.day.isoformat() not in known}
        instance.add_dynamic_partitions(name, sorted(set(unknown) - known))
        for day, state in sorted(unknown.items()):
            instance.report_runless_asset_event(
                dg.AssetMaterialization(STATES_KEY, partition=day, metadata=facts(state))
            )
