"""RUN: any prefix of a run id, Evalwatt's or Dagster's, as every verb accepts it.

Belongs here: finding the run that a beginning names. What a verb does with it is the verb's business.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from orchestration.cli.errors import WrongUse

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

    from orchestration.home import Home

_LISTED = 5
_MAY_BE_DAGSTERS = re.compile("[0-9a-f][0-9a-f-]*")  # opening its instance takes a second


def run_named(beginning: str, known: Mapping[str, Collection[str]]) -> str | None:
    """The key of `known` that begins so, or one of whose other ids does; None if there is none.

    Raises WrongUse for a beginning of several.
    """
    found = [
        own for own, others in known.items() if beginning and any(id_.startswith(beginning) for id_ in (own, *others))
    ]
    if len(found) > 1:
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise WrongUse(f"{beginning} names {len(found)} runs: {', '.join(found[:_LISTED])}{more}; name one of them")
    return found[0] if found else None


def landed_run(home: Home, beginning: str, landed: Collection[str]) -> str:
    """The one of the `landed` Evalwatt runs that RUN names; RUN itself if none is, which the verb then refuses."""
    known = {run_id: set[str]() for run_id in landed}
    if _MAY_BE_DAGSTERS.fullmatch(beginning):
        for dagster_id, evaluated in _evaluated_by_dagster(home, beginning):
            for run_id in known.keys() & set(evaluated):
                known[run_id].add(dagster_id)
    return run_named(beginning, known) or beginning


def running_ids(home: Home, running: Collection[DagsterRun]) -> dict[str, list[str]]:
    """Dagster's id of each running evaluation, with the Evalwatt id of the run that it is evaluating now."""
    from evaluators.process import activity
    from orchestration.instance.names import PARTITION_TAG

    moment = activity.read(home.path)
    return {
        run.run_id: [moment.run_id] if moment is not None and moment.model == run.tags.get(PARTITION_TAG) else []
        for run in running
    }


def _evaluated_by_dagster(home: Home, beginning: str) -> list[tuple[str, tuple[str, ...]]]:
    from orchestration.instance.opening import has_instance, open_instance
    from orchestration.nights.report import evaluated_in

    if not has_instance(home):
        return []
    with open_instance(home) as instance:
        return [(run.run_id, evaluated_in(instance, run)) for run in _begin_with(instance, beginning)]


def _begin_with(instance: DagsterInstance, beginning: str) -> list[DagsterRun]:
    return [run for run in instance.get_runs() if run.run_id.startswith(beginning)]
