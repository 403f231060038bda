"""Finds out what happened in a night: from Dagster's runs, the landing, and the published control.

Belongs here: reading. `message` keeps the text, `notification` delivers it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from evaluators.catalogue.entries import Settings
from evaluators.energy import quality
from evaluators.energy.short_windows import countable
from evaluators.landing import stops
from evaluators.landing.bundles import RUN_ID_LENGTH, run_time
from evaluators.landing.runs import summary_in
from orchestration.home import Home
from orchestration.instance.failures import reasons
from orchestration.instance.names import (
    CANCEL_TAG,
    CANCELED_TAG,
    DEADLINE,
    NIGHT_SIZE_TAG,
    NIGHT_TAG,
    PARTITION_TAG,
    PERSON,
    WAITED_TAG,
)
from orchestration.nights import schedule
from orchestration.nights.message import Line, Message
from orchestration.warehouse.published import connect

_LATE = timedelta(minutes=10)
_SHOWN = 4  # tasks in a line that might name dozens
KEEP_IT_RUNNING = (
    "keep the daemon running: `systemctl status evalwatt-daemon`; `evalwatt status` shows whether it is running"
)
_NOW = "`evalwatt run` evaluates it now; otherwise it is due the next night"
_PARTLY_KNOWN = """
    select model_id, suite, energy_known_kwh, tasks_with_energy, tasks_without_energy
    from marts.mart_model_efficiency as efficiency
    semi join marts.fct_task_evaluations as evaluations
        on efficiency.model_key = evaluations.model_key
        and efficiency.comparability_key = evaluations.comparability_key
        and list_contains($runs, evaluations.run_id)
    where basis = 'measured' and tasks_with_energy is not null and tasks_without_energy is not null
    order by model_id, suite, comparability_key
"""
_DRIFTED = """
    select distinct machine_id, control_reason from marts.mart_emissions_history
    where control_flag = 'drifted' and list_contains($days, night)
"""


def report(
    instance: dg.DagsterInstance,
    home: Home,
    settings: Settings,
    night: str,
    refresh: dg.DagsterRun | None,
    *,
    not_begun: Collection[str] = (),
    further: Sequence[Line] = (),
) -> Message:
    """The message of a night whose refresh has ended, or never started (None).

    `night` is the tag of its runs; `not_begun` are models without a run; `further` lines come first.
    """
    ended = Refreshed(instance, refresh)
    models = [_Model.of(instance, run) for run in _last_runs(instance, night)]
    lines = [*further, *_model_lines(models, not_begun)]
    lines += asked_lines(home, [(model.name, run_id) for model in models for run_id in model.run_ids])
    size = max((model.night_size for model in models), default=0)
    if (missing := size - len(models)) > 0:  # a night in the foreground has no size
        lines.append(Line("not begun", f"{missing} of {size} models were never queued", _NOW))
    landed = [run_id for model in models for run_id in model.run_ids]
    doubts = list(_doubt_lines(home, landed))
    lines += doubts
    lines += ended.lines(home, landed)
    succeeded = sum(model.outcome == "succeeded" for model in models)
    published = f"build {ended.build_id} was published" if ended.build_id else "nothing new was published"
    of = max(size, len(models) + len(not_begun))
    evaluated = f"{succeeded} of {of} models succeeded" if of else "nothing was due"
    in_doubt = ", energies in doubt" if doubts else ""
    headline = f"{title(night, settings)}: {evaluated}{in_doubt}, {published}"
    return Message(datetime.fromisoformat(night), headline, tuple(lines))


def evaluated_in(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, ...]:
    """The ids of the Evalwatt runs that an ended Dagster run evaluated."""
    return _run_ids(_all_metadata(_last_events(instance, run)))


def without_runs(settings: Settings, night: datetime, lines: Sequence[Line]) -> Message:
    """The message of a night that evaluated nothing."""
    return Message(night, f"{title(night.isoformat(), settings)}: nothing was evaluated", tuple(lines))


def schedule_lines(instance: dg.DagsterInstance, settings: Settings, night: datetime, begun: datetime) -> list[Line]:
    """Earlier nights that the schedule missed, and how late it ran tonight."""
    lines = []
    if missed := schedule.missed_before(instance, settings, night):
        days = ", ".join(map(str, missed)) if len(missed) <= 3 else f"{missed[0]} to {missed[-1]} ({len(missed)})"
        words = f"no night on {days}: the daemon was not running at {settings.nightly_at}; what was due stayed due"
        lines.append(Line("missed", words, KEEP_IT_RUNNING))
    if begun - night > _LATE:
        local = begun.astimezone(ZoneInfo(settings.time_zone))
        words = f"the daemon was not running at {settings.nightly_at}; it started at {local:%Y-%m-%d %H:%M}"
        lines.append(Line("late", words, KEEP_IT_RUNNING))
    return lines


def title(night: str, settings: Settings) -> str:
    """`Night of 2026-03-01 02:00 UTC`, in the settings' time zone."""
    return f"Night of {datetime.fromisoformat(night).astimezone(ZoneInfo(settings.time_zone)):%Y-%m-%d %H:%M %Z}"


@dataclass(frozen=True, slots=True)
class _Model:
    """How a model's evaluation ended tonight. `run_ids` are Evalwatt's."""

    name: str
    outcome: str  # succeeded, failed, over budget, not begun, canceled, running
    words: str
    run_ids: tuple[str, ...]
    budget_notes: str | None
    night_size: int

    @classmethod
    def of(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> _Model:
        events = _last_events(instance, run)
        metadata = _all_metadata(events)
        outcome, words = _outcome(run, metadata, "; ".join(reasons(events)))
        return cls(
            name=run.tags.get(PARTITION_TAG, run.run_id),
            outcome=outcome,
            words=words,
            run_ids=_run_ids(metadata),
            budget_notes=metadata.get("budget_notes"),
            night_size=int(run.tags.get(NIGHT_SIZE_TAG, 0)),
        )


def _outcome(run: dg.DagsterRun, metadata: Mapping[str, Any], reason: str) -> tuple[str, str]:
    status = run.status
    if status == dg.DagsterRunStatus.SUCCESS:
        return "succeeded", ""
    if CANCEL_TAG in run.tags and status == dg.DagsterRunStatus.FAILURE:
        return "canceled", "stopped by `evalwatt cancel`; what was finished is kept"
    if status == dg.DagsterRunStatus.FAILURE:
        return "over budget" if metadata.get("over_budget") else "failed", reason or f"see Dagster's run {run.run_id}"
    if status == dg.DagsterRunStatus.CANCELED:
        why = {DEADLINE: "the night's deadline came first", PERSON: "canceled by `evalwatt cancel`"}
        return "not begun" if CANCELED_TAG in run.tags else "canceled", why.get(
            run.tags.get(CANCELED_TAG, ""), "canceled in Dagster"
        )
    if status in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED):
        return "not begun", "the night's deadline came first"
    return "running", "still evaluating at the night's deadline; another refresh follows when it ends"


def _last_runs(instance: dg.DagsterInstance, night: str) -> list[dg.DagsterRun]:
    """The newest run of each of the night's models: a retry replaces the run that crashed."""
    last: dict[str, dg.RunRecord] = {}
    for record in instance.get_run_records(dg.RunsFilter(tags={NIGHT_TAG: night})):
        name = record.dagster_run.tags.get(PARTITION_TAG, record.dagster_run.run_id)
        if name not in last or record.storage_id > last[name].storage_id:
            last[name] = record
    return [record.dagster_run for record in sorted(last.values(), key=lambda record: record.storage_id)]


def _model_lines(models: Sequence[_Model], not_begun: Collection[str]) -> Iterator[Line]:
    by_hand = "`evalwatt evaluate {name}`, then `evalwatt build`"
    remedies = {
        "failed": f"fix it, then {by_hand}",
        "over budget": f"to continue before the next night: {by_hand}",
        "not begun": _NOW,
        "canceled": _NOW,
        "running": None,
    }
    for outcome, remedy in remedies.items():
        for model in models:
            if model.outcome == outcome:
                by_name = remedy and remedy.format(name=model.name)
                yield Line(outcome, f"{model.name}: {model.words}", by_name, ((model.name, None),))
    for name in not_begun:
        yield Line("not begun", f"{name}: canceled by `evalwatt cancel`", _NOW, ((name, None),))
    if succeeded := [model.name for model in models if model.outcome == "succeeded"]:
        yield Line("succeeded", ", ".join(succeeded))
    for model in models:
        if model.budget_notes:
            remedy = "`evalwatt doctor` shows what is metered here; give the entry a `budget: {time: …}`"
            yield Line("budget", f"{model.name}: {model.budget_notes}", remedy)


def asked_lines(home: Home, runs: Iterable[tuple[str, str]]) -> Iterator[Line]:
    """What was stopped before everything was asked, and what is known of it; `runs` are models and their runs' ids."""
    for model, run_id in runs:
        stopped = stops.of_run(home.landing, run_id)
        for suite in dict.fromkeys(stop.suite for stop in stopped):
            found = [(stop.task, stops.finding(stop)) for stop in stopped if stop.suite == suite]
            shown = [f"{task}: {finding}" if task else finding for task, finding in found[:_SHOWN]]
            more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield Line("asked", f"{model} on {suite}: {'; '.join(shown)}{more}")


def _doubt_lines(home: Home, run_ids: Sequence[str]) -> Iterator[Line]:
    """The night's energies in doubt, one line per flag."""
    flagged: dict[str, list[tuple[str, str]]] = {}
    sentences: dict[str, str] = {}  # the first task's also describes the others
    for run_id in run_ids:
        if (summary := summary_in(home.landing / run_id)) is None:
            continue
        for name in dict.fromkeys(task.task for task in summary.tasks):
            done = [task for task in summary.tasks if task.task == name]
            counted = countable(done)
            doubtful = [task for task in done if task not in counted]
            for flag in sorted({flag for task in doubtful for flag in task.flags}):
                flagged.setdefault(flag, []).append((summary.model, name))
            sentences = {
                task.flags[0]: task.note for task in doubtful if task.note and len(task.flags) == 1
            } | sentences
    for flag, tasks in sorted(flagged.items()):
        shown = ", ".join(map(" ".join, tasks[:_SHOWN]))
        shown += f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
        words = f"{flag}: {sentences.get(flag) or quality.MEANINGS.get(flag, flag)} ({shown})"
        remedy = quality.REMEDIES.get(flag, "`evalwatt doctor` shows what is metered here and how")
        models = {model for model, _ in tasks}
        remedy = remedy.replace("MODEL", models.pop()) if len(models) == 1 else remedy
        yield Line("in doubt", words, remedy, tuple(tasks))


class Refreshed:
    """The refresh after a night, and what it published."""

    def __init__(self, instance: dg.DagsterInstance, refresh: dg.DagsterRun | None) -> None:
        self.run = refresh
        self.build_id: str | None = None
        self.reasons: list[str] = []
        if refresh is None:
            return
        logs = instance.all_logs(refresh.run_id)
        events = [entry.get_dagster_event() for entry in logs if entry.is_dagster_event]
        self.reasons = list(reasons(events))
        for event in events:
            if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and "build_id" in _metadata(event):
                self.build_id = str(_metadata(event)["build_id"].value)

    def lines(self, home: Home, run_ids: Sequence[str]) -> Iterator[Line]:
        if self.run is None:
            words = "there was none: the sensor refresh_after_evaluations did not request it"
            yield Line("refresh", words, "`evalwatt build`", ())
            return
        if WAITED_TAG in self.run.tags:
            words = f"{self.run.tags[WAITED_TAG]} for another refresh of this EVALWATT_HOME"
            yield Line(
                "refresh", words, None if self.build_id else "`evalwatt build`, when the other refresh has ended", ()
            )
        if self.build_id is None:
            words = "\n".join(self.reasons) or f"see Dagster's run {self.run.run_id}"
            yield Line("unpublished", words, "fix the cause, then `evalwatt build`", ())
            return
        if self.reasons:  # the report comes after the publication
            yield Line("refresh", "\n".join(self.reasons), "fix the cause, then `evalwatt build`", ())
        yield from _control_lines(home, run_ids)
        yield from known_lines(home, run_ids)


def _control_lines(home: Home, run_ids: Sequence[str]) -> Iterator[Line]:
    days = sorted({run_time(run_id).date() for run_id in run_ids if len(run_id) == RUN_ID_LENGTH})
    with connect(home) as connection:
        drifted = connection.execute(_DRIFTED, {"days": days}).fetchall()
    for machine, reason in drifted:
        remedy = "find out what else runs on it, then `evalwatt evaluate MODEL --force` for the night's models"
        yield Line("control", f"{machine} drifted: {reason}", remedy)


def known_lines(home: Home, run_ids: Sequence[str]) -> Iterator[Line]:
    """The known energy of each of the night's suites that is known in part; the doubts' lines have the remedies."""
    with connect(home) as connection:
        partly = connection.execute(_PARTLY_KNOWN, {"runs": list(run_ids)}).fetchall()
    for model, suite, kwh, known, missing in partly:
        yield Line("energy", f"{model} on {suite}: {kwh * 1000:.3g} Wh for {known}; not known for {missing}")


def _last_events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    types = dg.DagsterEventType
    wanted = {types.STEP_FAILURE, types.ASSET_MATERIALIZATION, types.RUN_FAILURE}
    logs = instance.all_logs(run.run_id, of_type=wanted)
    return [entry.get_dagster_event() for entry in logs if entry.is_dagster_event]


def _all_metadata(events: Sequence[dg.DagsterEvent]) -> dict[str, Any]:
    return {name: value.value for event in events for name, value in _metadata(event).items()}


def _run_ids(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(filter(None, str(metadata.get("run_ids", "")).split(", ")))


def _metadata(event: dg.DagsterEvent) -> Mapping[str, Any]:
    if event.is_step_failure:
        failed = event.step_failure_data.user_failure_data
        return failed.metadata if failed is not None else {}
    if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
        metadata: Mapping[str, Any] = event.step_materialization_data.materialization.metadata
        return metadata
    return {}
