"""`evalwatt cancel`: cancel a running night, or one of its runs, cleanly."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli import complete, options
from orchestration.cli.errors import WrongUse

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

    from orchestration.home import Home
    from orchestration.nights.cancellation import Canceled


@click.command("cancel")
@click.argument("named", metavar="[RUN]", required=False, shell_complete=complete.running_runs)
@click.option("--night", is_flag=True, help="The whole night that is running; the default without RUN.")
@options.as_json
@options.places(catalogue=False)
def command(named: str | None, night: bool, as_json: bool) -> None:
    """Cancel the night that is running, or only one RUN of it.

    RUN is any prefix of a run id, Evalwatt's or Dagster's; `evalwatt status` shows them. Queued evaluations leave
    the queue; the running one finishes its current document and lands its finished tasks. The night's refresh still
    follows, once, with the finished results. What is missing is due again.

    \b
    Examples:
      evalwatt cancel
      evalwatt cancel 3f2a91c4
    """
    if named is not None and night:
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
        runs = _chosen(home, groups.running(instance), named)
        if not runs:
            _answer(as_json, None, "nothing is running")
            return
        scope = RUN if named is not None else NIGHT
        canceled = cancel(instance, home, runs, scope, PERSON, lambda line: print(line, file=sys.stderr, flush=True))
        _answer(as_json, canceled, _next(instance, runs))
    sys.exit(1 if canceled.still_running else 0)


def _chosen(home: Home, running: list[DagsterRun], named: str | None) -> list[DagsterRun]:
    """The run that is named; without one, all of the newest night, or whatever runs outside of nights."""
    from orchestration.cli.run_ids import run_named, running_ids
    from orchestration.instance.names import NIGHT_TAG

    if named is not None:
        if (found := run_named(named, running_ids(home, running))) is None:
            known = ", ".join(run.run_id[:8] for run in running) or "none"
            raise WrongUse(f"{named} is not running; running: {known}")
        return [run for run in running if run.run_id == found]
    night = max((run.tags[NIGHT_TAG] for run in running if NIGHT_TAG in run.tags), default=None)
    return [run for run in running if run.tags.get(NIGHT_TAG) == night]


def _next(instance: DagsterInstance, runs: list[DagsterRun]) -> str:
    """Which refresh follows, and how to continue."""
    from orchestration.instance.daemon import lives
    from orchestration.instance.names import FOREGROUND_TAG, NIGHT_TAG

    if all(FOREGROUND_TAG in run.tags for run in runs):
        refresh = (
            "the `evalwatt run` that was evaluating now refreshes the marts and reports what happened"
            if any(NIGHT_TAG in run.tags for run in runs)
            else "`evalwatt build` publishes what was finished"
        )
    elif lives(instance):
        refresh = "the daemon refreshes the marts once the whole night has ended, and its message says what happened"
    else:
        refresh = "no daemon is running: `evalwatt build` publishes what was finished"
    return f"{refresh}\nwhat is missing is due again: `evalwatt plan` lists it, `evalwatt run` evaluates it"


def _answer(as_json: bool, canceled: Canceled | None, words: str) -> None:
    if as_json:
        facts = dataclasses.asdict(canceled) if canceled is not None else {}
        print(json.dumps({**facts, "next": words}, indent=2))
        return
    if canceled is not None:
        for title, models in (
            ("stopped; its finished tasks are kept", canceled.stopped),
            ("finished before it could be stopped", canceled.finished),
            ("removed from the queue", canceled.left_the_queue),
            ("did not end in time; try again, or terminate it in Dagster's UI", canceled.still_running),
        ):
            for model in models:
                print(f"{model}: {title}")
    print(words)
