"""Whether the remedies of a night's message have been followed since, judged by the published marts alone.

A remedy without a trace in the marts, such as a catalogue entry, never counts as followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from orchestration.home import Home
from orchestration.warehouse.published import connect

# For each suite evaluated since the night started, the newest run is completed, and one of them started after the
# message.
_EVALUATED = """
    select coalesce(bool_and(status = 'completed') and bool_or(started_at > $since), false)
    from (
        select status, started_at from marts.fct_evaluation_runs
        where model_id = $model and started_at >= $night and not is_excluded
        qualify row_number() over (partition by suite order by started_at desc, run_id desc) = 1
    )
"""
# The task was evaluated after the message, and the newest evaluation has an energy that is not in doubt.
_METERED = """
    select coalesce(bool_and(energy_reason is null), false)
    from (
        select energy_reason from marts.fct_task_evaluations
        where model_id = $model and task = $task and started_at > $since and is_valid
        qualify run_id = max(run_id) over ()
    )
"""


def followed(home: Home, kept: Mapping[str, Any]) -> list[bool]:
    """For each line of a message that `message.keep` wrote: whether its remedy was followed."""
    lines, at = kept["lines"], kept.get("at")
    if at is None or not home.current.exists():  # kept by an earlier version, or nothing is published
        return [False] * len(lines)
    with connect(home) as marts:
        ((published_at,),) = marts.execute("select published_at from marts.publication").fetchall()
        if published_at <= datetime.fromisoformat(at):
            return [False] * len(lines)
        return [_is_followed(marts, line, kept["night"], at) for line in lines]


def _is_followed(marts: duckdb.DuckDBPyConnection, line: Mapping[str, Any], night: str, since: str) -> bool:
    if line["remedy"] is None or line.get("asks_for") is None:
        return False
    for model, task in line["asks_for"]:
        query, what = (_EVALUATED, {"night": night}) if task is None else (_METERED, {"task": task})
        ((is_done,),) = marts.execute(query, {"model": model, "since": since, **what}).fetchall()
        if not is_done:
            return False
    return True
