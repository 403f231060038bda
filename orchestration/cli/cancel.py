"""`evalwatt cancel`: end a running night, or one of its runs, cleanly."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.errors import WrongUse

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

    from orchestration.nights.cancellation import Canceled


@click.command("cancel")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--night", is_flag=True, help="The whole night that is running; so it is without a RUN.")
@options.as_json
@options.places(catalogue=False)
def command(run_id: str | None, night: bool, as_json: bool) -> None:
    """End the night that is running, or only RUN of it: an id that `evalwatt status` shows, or its beginning.

    What waits leaves the queue; what runs finishes its document and lands its finished tasks. The night's refresh
    still follows, once, with what is good. What is missing is due again.

    \b
    Examples:
      evalwatt cancel
      evalwatt cancel 3f2a91c4
    """
    if run_id is not None and night:
        raise WrongUse("name a RUN, or --night, not both")
    from orchestration.home import Home
    from orchestration.instance.janitor import close_dead_runs
    from orchestration.instance.names import NIGHT, PERSON, RUN
    from orchestration.instance.opening import has_instance, open_instance
    from orchestration.nights import groups
    from orchestration.nights.cancellation import cancel

    home = Home.from_env()
    if not has_instance(home):
        _answer(as_json, None, "nothing is running")
        return
    with open_instance(home) as instance:
        close_dead_runs(instance, home)
        runs = _chosen(groups.running(instance), run_id)
        if not runs:
            _answer(as_json, None, "nothing is running")
            return
        scope = RUN if run_id is not None else NIGHT
        canceled = cancel(instance, home, runs, scope, PERSON, lambda line: print(line, file=sys.stderr, flush=True))
        _answer(as_json, canceled, _next(instance, runs))
    sys.exit(1 if canceled.still_running else 0)


def _chosen(running: list[DagsterRun], run_id: str | None) -> list[DagsterRun]:
    """The run that is named; without one, all of the newest night, or whatever runs outside of nights."""
    from orchestration.instance.names import NIGHT_TAG

    if run_id is not None:
        found = [run for run in running if run.run_id.startswith(run_id)]
        if len(found) != 1:
            known = ", ".join(run.run_id[:8] for run in running) or "none"
            raise WrongUse(f"{run_id} is {'no' if not found else 'more than one'} running evaluation; running: {known}")
        return found
    night = max((run.tags[NIGHT_TAG] for run in running if NIGHT_TAG in run.tags), default=None)
    return [run for run in running if run.tags.get(NIGHT_TAG) == night]


def _next(instance: DagsterInstance, runs: list[DagsterRun]) -> str:
    """Who refreshes now, and how to go on."""
    from orchestration.instance.daemon import lives
    from orchestration.instance.names import FOREGROUND_TAG, NIGHT_TAG

    if all(FOREGROUND_TAG in run.tags for run in runs):
        refresh = (
            "the `evalwatt run` that was evaluating refreshes the marts now, and says what happened"
            if any(NIGHT_TAG in run.tags for run in runs)
            else "`evalwatt build` publishes what was finished"
        )
    elif lives(instance):
        refresh = (
            "the daemon refreshes the marts once when all of the night has ended, and its message says what happened"
        )
    else:
        refresh = "no daemon is running: `evalwatt build` publishes what was finished"
    return f"{refresh}\nwhat is missing is due again: `evalwatt plan` says what, `evalwatt run` goes on with it"


def _answer(as_json: bool, canceled: Canceled | None, words: str) -> None:
    if as_json:
        facts = dataclasses.asdict(canceled) if canceled is not None else {}
        print(json.dumps({**facts, "next": words}, indent=2))
        return
    if canceled is not None:
        for title, models in (
            ("stopped, its finished tasks are kept", canceled.stopped),
            ("finished before it could be stopped", canceled.finished),
            ("taken out of the queue", canceled.left_the_queue),
            ("did not end in time; try again, or terminate it in Dagster's UI", canceled.still_running),
        ):
            for model in models:
                print(f"{model}: {title}")
    print(words)
