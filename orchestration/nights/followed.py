"""Whether the remedies of a night's message were followed since: what is published by now says so, nobody else.

A remedy that no publication shows, such as an entry of the catalogue, is never said to be followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from orchestration.home import Home
from orchestration.warehouse.published import connect

# Of each suite that was asked since the night began the newest run has reached its end, and one of them began after the
# message.
_EVALUATED = """
    select coalesce(bool_and(status = 'completed') and bool_or(started_at > $since), false)
    from (
        select status, started_at from marts.fct_evaluation_runs
        where model_id = $model and started_at >= $night and not is_excluded
        qualify row_number() over (partition by suite order by started_at desc, run_id desc) = 1
    )
"""
# The newest evaluation of the task after the message has an energy without a doubt, and there is one.
_METERED = """
    select coalesce(bool_and(energy_reason is null), false)
    from (
        select energy_reason from marts.fct_task_evaluations
        where model_id = $model and task = $task and started_at > $since and is_valid
        qualify run_id = max(run_id) over ()
    )
"""


def followed(home: Home, kept: Mapping[str, Any]) -> list[bool]:
    """For each line of a message as `message.keep` wrote it, whether its remedy was followed."""
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
