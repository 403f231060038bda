"""`evalwatt status`: what is running, how the last night ended, when the next one starts, what is published."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli import options

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from orchestration.home import Home


@click.command("status")
@options.as_json
@options.places()
def command(as_json: bool) -> None:
    """Show what is running, the last night, the next one, the daemon's state and what is published.

    \b
    Example:
      evalwatt status
    """
    from evaluators.catalogue.entries import load
    from orchestration.home import Home, catalogue_path

    home, now = Home.from_env(), datetime.now(UTC)
    settings = load(catalogue_path()).settings
    from orchestration.instance.opening import has_instance, open_instance
    from orchestration.nights.schedule import next_tick

    status: dict[str, Any] = {"running": [], "queued": [], "evaluating": _evaluating(home)}
    status["daemon"] = {"lives": False, "last_heartbeat": None}
    if has_instance(home):
        with open_instance(home) as instance:
            status |= _runs(instance, home)
            status["daemon"] = _daemon(instance)
    status |= {
        "last_night": _last_night(home),
        "next_night": next_tick(settings, now).isoformat(),
        "published": _published(home, now),
        "disk_free_gb": _disk_free_gb(home),
    }
    if as_json:
        print(json.dumps(status, indent=2))
    else:
        _print(status, home, now)


def _evaluating(home: Home) -> dict[str, Any] | None:
    from evaluators.process import activity

    moment = activity.read(home.path)
    return dataclasses.asdict(moment) if moment is not None else None


def _runs(instance: DagsterInstance, home: Home) -> dict[str, Any]:
    """Dagster's running and queued evaluations and refreshes, without those whose process is gone."""
    from dagster import DagsterRunStatus, RunsFilter

    from orchestration.instance.janitor import is_dead
    from orchestration.instance.names import NIGHT_TAG, PARTITION_TAG
    from orchestration.nights import groups

    refreshes = instance.get_runs(RunsFilter(job_name=groups.REFRESH_JOB, statuses=groups.ALIVE))
    found: dict[str, list[dict[str, Any]]] = {"running": [], "queued": []}
    for run in [*groups.running(instance), *refreshes]:
        record = instance.get_run_record_by_id(run.run_id)
        begun = record.start_time if record is not None else None
        if not is_dead(home, run.run_id):
            found["queued" if run.status == DagsterRunStatus.QUEUED else "running"].append(
                {
                    "run_id": run.run_id,
                    "job": run.job_name,
                    "model": run.tags.get(PARTITION_TAG),
                    "night": run.tags.get(NIGHT_TAG),
                    "since": datetime.fromtimestamp(begun, UTC).isoformat(timespec="seconds") if begun else None,
                }
            )
    return found


def _daemon(instance: DagsterInstance) -> dict[str, Any]:
    from orchestration.instance.daemon import last_heartbeat, lives

    last = last_heartbeat(instance)
    return {"lives": lives(instance), "last_heartbeat": last.isoformat(timespec="seconds") if last else None}


def _last_night(home: Home) -> dict[str, Any] | None:
    from orchestration.nights.followed import followed
    from orchestration.nights.message import folder, last_kept
    from orchestration.nights.notification import deliveries

    kept = last_kept(home)
    if kept is None:
        return None
    lines = [{**line, "followed": is_done} for line, is_done in zip(kept["lines"], followed(home, kept), strict=True)]
    return {**kept, "lines": lines, "delivered": deliveries(folder(home, datetime.fromisoformat(kept["night"])))}


def _published(home: Home, now: datetime) -> dict[str, Any] | None:
    if not home.current.exists():
        return None
    from orchestration.warehouse.published import connect

    with connect(home) as connection:
        build_id, at = connection.execute("select build_id, published_at from publication").fetchall()[0]
    return {"build_id": build_id, "published_at": at.isoformat(timespec="seconds"), "age_s": (now - at).total_seconds()}


def _disk_free_gb(home: Home) -> float:
    existing = next(path for path in (home.path, *home.path.parents) if path.exists())
    return round(shutil.disk_usage(existing).free / 1e9, 1)


def _print(status: dict[str, Any], home: Home, now: datetime) -> None:
    for line in [*_now_lines(status, now), *_later_lines(status, home)]:
        print(line)


def _now_lines(status: dict[str, Any], now: datetime) -> list[str]:
    lines = []
    for run in status["running"]:
        what = f"evaluating {run['model']}" if run["model"] else run["job"]
        night = f", night of {run['night']}" if run["night"] else ""
        lines.append(f"running     {what} since {run['since'] or 'a moment ago'}{night} (run {run['run_id'][:8]})")
    if (moment := status["evaluating"]) is not None:
        if moment["task"] is None:
            doing = "preparing, loading and warming up"
        else:
            doing = f"task {moment['task']} ({moment['number']} of {moment['tasks']})"
            doing += f", {moment['requests_done']} of about {moment['requests']} requests"
        lines.append(f"            {moment['model']} on {moment['suite']}: {doing}; evaluating since {moment['since']}")
    if status["queued"]:
        lines.append(f"waiting     {', '.join(str(run['model'] or run['job']) for run in status['queued'])}")
    return lines or ["running     nothing"]


def _later_lines(status: dict[str, Any], home: Home) -> list[str]:
    night, daemon, published = status["last_night"], status["daemon"], status["published"]
    lines = ["", *_message(night)] if night else ["last night  none yet: `evalwatt run` starts one now"]
    for place, outcome in (night or {}).get("delivered", {}).items():
        if outcome != "delivered":
            lines.append(f"  {place}: {outcome}")
    lines += [""] if night else []
    if daemon["lives"]:
        lines += [
            f"daemon      running, last heartbeat {daemon['last_heartbeat']}",
            f"next night  {status['next_night']}",
        ]
    else:
        last = f"last heartbeat {daemon['last_heartbeat']}" if daemon["last_heartbeat"] else "it has never run here"
        lines += [
            f"daemon      not running, {last}: `systemctl start evalwatt-daemon`, or `make ui`",
            f"next night  {status['next_night']}, if the daemon is running then",
        ]
    if published is None:
        lines.append("published   nothing yet: `evalwatt run` evaluates and publishes")
    else:
        lines.append(f"published   {published['build_id']}, {_age(published['age_s'])} old")
    lines.append(f"disk        {status['disk_free_gb']} GB free under {home.path}")
    return lines


def _message(night: dict[str, Any]) -> list[str]:
    """The night's message without what has been resolved since."""
    done = [line for line in night["lines"] if line["followed"]]
    if not done:
        return [str(night["text"])]
    from orchestration.nights.message import in_words

    left = [line for line in night["lines"] if not line["followed"]]
    title = str(night["headline"]).partition(": ")[0]
    topics = ", ".join(dict.fromkeys(line["topic"] for line in done))
    if all(line["remedy"] is None for line in left):
        return [f"{title}: everything its message asked for ({topics}) has been done and published since"]
    words = f"{topics}: done and published since"
    return [night["headline"], *in_words([*left, {"topic": "done", "words": words, "remedy": None}])]


def _age(seconds: float) -> str:
    from evaluators.wording import in_words

    return f"{seconds / 86400:.1f} days" if seconds > 2 * 86400 else in_words(seconds)
