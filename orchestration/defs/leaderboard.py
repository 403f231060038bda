"""The Open LLM Leaderboard's dated states: one dynamic partition per day.

Belongs here: importing a state when its day is materialized. `evaluators.leaderboards` knows what a state is, and
whether it was imported before.
"""

from datetime import date
from pathlib import Path

import dagster as dg

from evaluators.leaderboards import StateRejected, formats, hub
from evaluators.leaderboards.states import Imported, import_state
from orchestration.defs.resources import LeaderboardHub, Paths, RunLock
from orchestration.instance.names import OWNERS
from orchestration.ui import evidence_tags
from orchestration.ui.state_events import STATES, STATES_KEY, facts


class StateConfig(dg.Config):
    """The source of the partition's state."""

    path: str | None = None  # a file; None: the hub's last commit of that day


@dg.asset(
    key=STATES_KEY,
    partitions_def=STATES,
    group_name="leaderboard",
    kinds={"huggingface", "parquet"},
    owners=OWNERS,
    tags=evidence_tags.LEADERBOARD,
)
def leaderboard_states(
    context: dg.AssetExecutionContext,
    config: StateConfig,
    paths: Paths,
    leaderboard_hub: LeaderboardHub,
    run_lock: RunLock,
) -> dg.MaterializeResult:
    """A day's state of the Open LLM Leaderboard's table, landed as Parquet.

    `evalwatt import-leaderboard` imports many at once, which appear here as partitions.
    """
    day = _day(context.partition_key)
    try:
        state = _from_file(Path(config.path), day, paths) if config.path else _from_hub(day, paths, leaderboard_hub)
    except (StateRejected, hub.HubUnavailable) as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    context.log.info(f"{state.day}: {'imported' if state.new else 'was imported before'}")
    return dg.MaterializeResult(metadata=facts(state))


def _day(partition: str) -> date:
    try:
        return date.fromisoformat(partition)
    except ValueError:
        raise dg.Failure(
            f"{partition!r} is not a day; name the partition like 2025-01-31", allow_retries=False
        ) from None


def _from_file(path: Path, day: date, paths: Paths) -> Imported:
    return import_state(lambda: formats.read(path), day, path.name, paths.home.landing, paths.home.quarantine)


def _from_hub(day: date, paths: Paths, leaderboard_hub: LeaderboardHub) -> Imported:
    client = leaderboard_hub.client()
    found = next((revision for revision in hub.revisions(client, since=day) if revision.day == day), None)
    if found is None:
        raise StateRejected(
            f"{hub.REPOSITORY} has no commit on {day}; choose a day with a commit, or a file (config: path)"
        )
    return import_state(lambda: hub.read(client, found), day, found.source, paths.home.landing, paths.home.quarantine)
