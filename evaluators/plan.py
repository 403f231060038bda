"""The plan of a night: what is due and why, and what it will probably cost. Fast: it loads neither torch nor lm-eval.

An entry is due when no complete evaluation of it is landed: the plan key covers all that can be known without loading
the model, and all task evaluations that the entry's last run planned must be there. The evaluator then decides task by
task, by the exact fingerprint.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from evaluators import environment, plan_until
from evaluators.catalogue.entries import Catalogue, CatalogueError, ModelEntry, SuiteEntry
from evaluators.energy import quality
from evaluators.energy.short_windows import countable, further_windows
from evaluators.landing import bundles, parts, stops, withdrawn
from evaluators.landing.decisions import excluded_runs
from evaluators.landing.runs import LandedRun, PlannedTask, runs_by_workload
from evaluators.machine import describe_machine, usable_threads
from evaluators.models.files import Change, last_change
from evaluators.models.sources import loose_files
from evaluators.plan_expected import expectation, expected_until, newest_complete
from evaluators.plan_keys import PlanKeys
from evaluators.plan_until import Answered, Landed
from evaluators.spec import ComparedWith, RunSpec
from evaluators.summary import TaskSummary
from evaluators.wording import counted

_WEIGHED_AGAIN = "a group's tasks are now weighted as lm-eval aggregates them; no task is evaluated again"
_SEES_TOKENIZERS = 4  # the first schema version with fingerprints that cover the files beside the weights


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One model and suite: whether it is due, why, and what it will probably take, judging by earlier runs.

    Expectations are None where nothing is known yet; `expectation` states their basis in words. Where the suite's
    `until` may end it earlier, they are for the share of the documents that is asked on average where the answer is
    hardest to tell, and those `at_most` for all that is left.
    """

    model: str
    suite: str
    due: bool
    reason: str
    plan_key: str
    is_control: bool
    tasks_done: int
    tasks_total: int | None
    expected_duration_s: float | None
    expected_energy_kwh: float | None
    expectation: str
    at_most_duration_s: float | None
    at_most_energy_kwh: float | None
    reference: ComparedWith | None  # what the suite's `until` compares with


def plan(
    catalogue: Catalogue,
    home: Path,
    *,
    models: Collection[str] | None = None,
    suites: Collection[str] | None = None,
    force: bool = False,
    complete: bool = False,
    control: bool = False,
    now: datetime | None = None,
) -> list[PlannedRun]:
    """Every model and suite of the catalogue, or of the named ones, in the catalogue's order.

    `complete`: what was stopped before everything was asked is due. `control`: the settings' control workload is due if
    it was not completed yet on this UTC date, and comes first.
    Raises CatalogueError for a model or suite that is not in the catalogue, or a named model that has none of the named
    suites.
    """
    wanted = catalogue.models if models is None else [catalogue.model(name) for name in models]
    chosen = None if suites is None else {catalogue.suite(name).name for name in suites}
    if models is not None and chosen:
        for entry in wanted:
            if chosen.isdisjoint(entry.suites):
                own, other = ", ".join(entry.suites), " or ".join(sorted(chosen))
                raise CatalogueError(f"{entry.name} does not have the suite {other}; its suites: {own}")
    past, now = _Past.read(home / "landing"), now or datetime.now(UTC)
    workload = _control_due(catalogue, past, now) if control else None
    asked = _Asked(catalogue, past, PlanKeys(catalogue), force, complete, workload, now)
    found: dict[tuple[str, str], PlannedRun] = {}
    for model in plan_until.references_first([entry.name for entry in wanted], catalogue):
        for name in catalogue.model(model).suites:
            if chosen is None or name in chosen:
                in_full = {which for which, run in found.items() if run.due and run.reference is None}
                found[model, name] = _planned(asked, catalogue.model(model), catalogue.suite(name), in_full)
    place = [entry.name for entry in wanted].index
    runs = sorted(found.values(), key=lambda run: place(run.model))
    return sorted((_with_parted(run, runs, catalogue, past) for run in runs), key=lambda run: not run.is_control)


@dataclass(frozen=True)
class _Past:
    """What is landed, read once for all entries; parts and stops when they are first needed."""

    landing: Path
    excluded: Collection[str]  # runs
    evaluations: Mapping[str, str]  # from the bundles of task evaluations that count to their runs
    runs: Mapping[tuple[str, str], list[LandedRun]]

    @classmethod
    def read(cls, landing: Path) -> _Past:
        excluded = excluded_runs(landing)
        return cls(landing, excluded, withdrawn.counted(landing, excluded), runs_by_workload(landing))

    @cached_property
    def landed(self) -> Landed:
        """With what is not evaluated completely."""
        return Landed(
            self.evaluations, parts.landed(self.landing, self.excluded), stops.landed(self.landing, self.excluded)
        )

    def of(self, model: str, suite: str) -> Sequence[LandedRun]:
        """The runs of a model and a suite, oldest first."""
        return self.runs.get((model, suite), ())


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a plan is made for; see `plan`."""

    catalogue: Catalogue
    past: _Past
    keys: PlanKeys
    force: bool
    complete: bool
    workload: tuple[str, str] | None  # model and suite of the control workload, where it is due
    now: datetime


def in_order(models: Collection[str], catalogue: Catalogue, night: datetime) -> tuple[list[str], str]:
    """The models of a night, shuffled so that drift during the night favours none of them, and the seed used.

    The control's model always comes first, and a model before those that a suite's `until` compares with it.
    """
    seed = f"{catalogue.settings.seed}/{night.astimezone(UTC):%Y-%m-%d}"
    order = random.Random(seed).sample(sorted(models), len(models))
    control = catalogue.settings.control
    order = plan_until.references_first(order, catalogue)
    return sorted(order, key=lambda name: control is None or name != control.model), seed


def make_spec(catalogue: Catalogue, planned: PlannedRun, home: Path, *, force: bool = False, **further: Any) -> RunSpec:
    """The evaluator's spec for a planned run, with a new run id. `further`: more of the spec's fields."""
    entry = catalogue.model(planned.model)
    complete = further.pop("complete", False) or planned.is_control  # the control asks the same every night
    return RunSpec(
        run_id=bundles.new_run_id(),
        home=home.absolute(),
        root=catalogue.path.parent,
        model=entry,
        lineage=tuple(catalogue.lineage(entry)),
        suite=catalogue.suite(planned.suite),
        settings=catalogue.settings,
        plan_key=planned.plan_key,
        force=force or planned.is_control,
        complete=complete,
        reference=planned.reference,
        is_control=planned.is_control,
        **further,
    )


def _planned(asked: _Asked, entry: ModelEntry, suite: SuiteEntry, in_full: Collection[tuple[str, str]]) -> PlannedRun:
    """`in_full`: models and suites that are evaluated before this one, completely."""
    catalogue, past, force = asked.catalogue, asked.past, asked.force
    key, runs = asked.keys.of(entry, suite), past.of(entry.name, suite.name)
    is_control = (entry.name, suite.name) == asked.workload
    may_stop = plan_until.goes_by_until(suite) and not asked.complete and not is_control
    reference = _reference(asked, entry, suite) if may_stop else None
    newest = _newest_planned(runs, key)
    tasks = newest.tasks if newest is not None else None
    answered = plan_until.answered(suite, tasks, reference, past.landed) if may_stop and tasks else Answered({}, (), ())
    evaluations = {**past.evaluations, **answered.runs} if answered.runs else past.evaluations
    change: Change | None = None
    if newest is not None and newest.start.schema_version < _SEES_TOKENIZERS:
        change = last_change(loose_files(entry, catalogue.lineage(entry), catalogue.path.parent))
    missing = [
        task
        for task, planned in (tasks or {}).items()
        if any(name not in evaluations for name in (planned["evaluation"], *planned.get("repetitions", ())))
    ]
    done = {task: planned["evaluation"] for task, planned in (tasks or {}).items() if task not in missing}
    outdated = [task for task, name in done.items() if change and bundles.run_time(evaluations[name]) < change.at]
    partly = plan_until.asked_in_part(tasks, missing, past.landed) if tasks and missing else {}
    if entry.retired is not None:
        due, reason = False, f"retired: {entry.retired}"
    elif is_control:
        due, reason = True, "the control workload of this night"
    elif outdated and not force:
        due, reason = True, f"{change}, after {', '.join(outdated)} were evaluated"
    else:
        due, reason = _verdict(asked, entry, suite, key, tasks, missing, partly, answered, evaluations)
        if not due:
            reason += _doubts(entry.name, runs, tasks or {})
    asks = due and reason != _WEIGHED_AGAIN
    left = {task: 1 - part / total for task, (part, total) in partly.items()} if not force else {}
    at_most = expected = expectation(runs, left)
    if asks and may_stop:
        is_awaited = reference is not None and (reference.model, suite.name) in in_full
        is_compared = reference is not None and (bool(reference.evaluations) or is_awaited)
        why_not = catalogue.reference(entry, suite).why_not
        expected, share = expected_until(suite, runs, left, at_most, is_compared=is_compared)
        reason += f"; {plan_until.in_words(suite, reference, why_not, is_awaited=is_awaited)}{share}"
    if due and (absent := _absent(catalogue, entry)) is not None:
        reason = f"{reason}, but {absent} does not exist: correct its path in the catalogue"
    return PlannedRun(
        model=entry.name,
        suite=suite.name,
        due=due,
        reason=reason,
        plan_key=key,
        is_control=is_control and due,
        tasks_done=len(tasks or {}) - len(missing) - len(outdated),
        tasks_total=len(tasks) if tasks is not None else None,
        expected_duration_s=expected.duration_s if asks else 0.0,
        expected_energy_kwh=expected.energy_kwh if asks else 0.0,
        expectation=expected.words if asks else "nothing to evaluate",
        at_most_duration_s=at_most.duration_s if asks else 0.0,
        at_most_energy_kwh=at_most.energy_kwh if asks else 0.0,
        reference=reference,
    )


def _verdict(
    asked: _Asked,
    entry: ModelEntry,
    suite: SuiteEntry,
    key: str,
    tasks: dict[str, PlannedTask] | None,
    missing: list[str],
    partly: Mapping[str, tuple[int, int]],
    answered: Answered,
    evaluations: Mapping[str, str],
) -> tuple[bool, str]:
    runs = asked.past.of(entry.name, suite.name)
    if asked.force:
        return True, "requested"
    if not runs:
        return True, "never evaluated here"
    last = runs[-1].time
    if tasks is None and all(run.start.plan_key != key for run in runs):
        what = "the entry, its files, its suite, its tasks or lm-eval"
        return True, f"{what} changed since the run of {last:%Y-%m-%d %H:%M} UTC"
    if tasks is None:
        return True, f"the run of {last:%Y-%m-%d %H:%M} UTC ended before its first task{_last_words(runs[-1])}"
    if missing:
        others = "; the others are kept" if len(missing) < len(tasks) else ""
        why = next((why for run in runs if (why := withdrawn.withdrawal(asked.past.landing, run.run_id))), None)
        others += "".join(f"; {words}" for words in (*answered.shortfalls, why) if words is not None)
        return True, f"{_what_is_missing(missing, partly, len(tasks))}{others}"
    if _weighed_before(suite, tasks):
        return True, _WEIGHED_AGAIN
    oldest = min(bundles.run_time(evaluations[planned["evaluation"]]) for planned in tasks.values())
    if entry.refresh_every is not None and asked.now - oldest >= entry.refresh_every:
        return True, f"last evaluated {oldest:%Y-%m-%d %H:%M} UTC, refreshed every {entry.refresh_every}"
    if answered.runs:
        found = "; ".join(answered.findings)
        return False, f"{found} by {oldest:%Y-%m-%d %H:%M} UTC; nothing has changed since"
    return False, f"all {len(tasks)} tasks were evaluated on {oldest:%Y-%m-%d %H:%M} UTC; nothing has changed since"


def _what_is_missing(missing: Sequence[str], partly: Mapping[str, tuple[int, int]], of: int) -> str:
    absent = [task for task in missing if task not in partly]
    found = [f"{len(absent)} of {of} tasks are missing or excluded ({', '.join(absent)})"] if absent else []
    if partly:
        done, total = (sum(counts) for counts in zip(*partly.values(), strict=True))
        names = f"{len(partly)} of {of} tasks ({', '.join(partly)})"
        found.append(f"{names} are asked in part, {done:,} of {total:,} documents")
    return " and ".join(found)


def _newest_planned(runs: Sequence[LandedRun], key: str) -> LandedRun | None:
    """The newest run of a plan key that got as far as its tasks."""
    return next((run for run in reversed(runs) if run.start.plan_key == key and run.tasks is not None), None)


def _reference(asked: _Asked, entry: ModelEntry, suite: SuiteEntry) -> ComparedWith | None:
    """What the entry is compared with, as it is landed; None where there is no reference. A suite that is decided as a
    whole is compared with a whole one."""
    catalogue, past = asked.catalogue, asked.past
    model = catalogue.reference(entry, suite).model
    if model is None:
        return None
    runs = past.of(model, suite.name)
    if model == entry.name:  # the newest version before this one that is complete
        key = asked.keys.of(entry, suite)
        earlier = (run for run in reversed(runs) if run.start.plan_key != key)
        newest = next((run for run in earlier if run.tasks and len(_complete(run, past)) == len(run.tasks)), None)
    else:
        newest = _newest_planned(runs, asked.keys.of(catalogue.model(model), suite))
    if newest is None:
        return ComparedWith(model, {})
    complete = _complete(newest, past)
    is_whole = len(complete) == len(newest.tasks or {})
    return ComparedWith(model, complete if is_whole or suite.until is None else {})


def _complete(run: LandedRun, past: _Past) -> dict[str, str]:
    """The complete evaluations among those that a run planned, by task."""
    planned = {task: planned["evaluation"] for task, planned in (run.tasks or {}).items()}
    return {task: evaluation for task, evaluation in planned.items() if evaluation in past.evaluations}


def _with_parted(run: PlannedRun, runs: list[PlannedRun], catalogue: Catalogue, past: _Past) -> PlannedRun:
    """The run with an addition to its reason: the models that its energies will not be comparable with."""
    if not run.due or run.reason == _WEIGHED_AGAIN:
        return run
    due = {(other.model, other.suite) for other in runs if other.due}
    family = {entry.name for entry in catalogue.models if entry.base_model == run.model}
    family.add(catalogue.model(run.model).base_model or "")
    machine_id = describe_machine(catalogue.settings.machine_id).machine_id
    threads = catalogue.settings.threads or usable_threads()
    now = _conditions(machine_id, threads, environment.thread_policy())
    words = ""
    for entry in catalogue.models:
        if entry.name in family and (entry.name, run.suite) not in due:
            last = newest_complete(past.of(entry.name, run.suite))
            then = last and _conditions(last.start.machine_id, last.start.threads, last.start.thread_policy)
            if then is not None and then != now:
                words += (
                    f"; its energies will not be comparable with those of {entry.name}, metered with {then}, now "
                    f"{now}: `evalwatt evaluate {entry.name} --suite {run.suite} --force` meters that model again"
                )
    return dataclasses.replace(run, reason=run.reason + words)


def _conditions(machine_id: str, threads: int, thread_policy: str | None) -> str:
    """The conditions that are known without loading a model and that decide whether energies are comparable."""
    return f"{counted(threads, 'thread')}{f' ({thread_policy})' if thread_policy else ''} on {machine_id}"


def _weighed_before(suite: SuiteEntry, tasks: dict[str, PlannedTask]) -> bool:
    """Whether the plan predates the `group` field, when all tasks of a group had the same weight."""
    named = {entry.task for entry in suite.tasks}
    return any(name not in named and "group" not in planned for name, planned in tasks.items())


def _doubts(model: str, runs: Sequence[LandedRun], tasks: Collection[str]) -> str:
    """The tasks that are done but have no energy that counts, and the remedy; empty where all have one."""
    newest: dict[str, list[TaskSummary]] = {}
    for run in reversed(runs):  # the newest run of a task counts, so that years of nights are not read
        if newest.keys() >= set(tasks):
            break
        summaries = run.summary.tasks if run.summary is not None else ()
        for task in {summary.task for summary in summaries} - newest.keys():
            newest[task] = [summary for summary in summaries if summary.task == task]
    doubtful: dict[str, dict[str, set[str]]] = {}
    for task, done in newest.items():
        if task in tasks and not countable(done) and (flags := {flag for summary in done for flag in summary.flags}):
            again = flags != {"too_short"} or further_windows(done)
            remedy = f"`evalwatt evaluate {model} --force` measures again" if again else quality.REMEDIES["too_short"]
            doubtful.setdefault(remedy, {})[task] = flags
    return "".join(
        f"; the energy of {', '.join(sorted(flags))} is in doubt ({', '.join(sorted(set.union(*flags.values())))}): "
        f"{remedy}"
        for remedy, flags in sorted(doubtful.items(), reverse=True)
    )


def _absent(catalogue: Catalogue, entry: ModelEntry) -> str | None:
    """The first path or recipe of the model or its lineage that does not exist."""
    named = [place for model in (entry, *catalogue.lineage(entry)) for place in (model.path, model.recipe) if place]
    return next((place for place in named if not (catalogue.path.parent / place).exists()), None)


def _control_due(catalogue: Catalogue, past: _Past, now: datetime) -> tuple[str, str] | None:
    """Model and suite of the control workload; None without one, or where it was completed on this UTC date."""
    control = catalogue.settings.control
    if control is None:
        return None
    for run in past.of(control.model, control.suite):
        tonight = run.start.is_control and run.time.date() == now.astimezone(UTC).date()
        if tonight and run.summary is not None and run.summary.status == "completed":
            return None
    return control.model, control.suite


def _last_words(run: LandedRun) -> str:
    """Why the run failed, as the end of a sentence; empty where it was killed before it could say."""
    return f": {run.summary.reason}" if run.summary is not None and run.summary.reason else ""
