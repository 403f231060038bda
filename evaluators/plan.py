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
from pathlib import Path
from typing import Any

from evaluators import environment
from evaluators.catalogue.entries import Catalogue, CatalogueError, ModelEntry, SuiteEntry
from evaluators.energy import quality
from evaluators.energy.short_windows import countable, further_windows
from evaluators.landing import bundles, withdrawn
from evaluators.landing.decisions import excluded_runs
from evaluators.landing.runs import LandedRun, PlannedTask, runs_by_workload
from evaluators.machine import describe_machine, usable_threads
from evaluators.models.files import Change, last_change
from evaluators.models.sources import loose_files
from evaluators.plan_keys import PlanKeys
from evaluators.spec import RunSpec
from evaluators.summary import TaskSummary
from evaluators.wording import counted

_WEIGHED_AGAIN = "a group's tasks are now weighted as lm-eval aggregates them; no task is evaluated again"
_SEES_TOKENIZERS = 4  # the first schema version with fingerprints that cover the files beside the weights


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One model and suite: whether it is due, why, and what it will probably take, judging by earlier runs.

    Expectations are None where nothing is known yet; `expectation` states their basis in words.
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


def plan(
    catalogue: Catalogue,
    home: Path,
    *,
    models: Collection[str] | None = None,
    suites: Collection[str] | None = None,
    force: bool = False,
    control: bool = False,
    now: datetime | None = None,
) -> list[PlannedRun]:
    """Every model and suite of the catalogue, or of the named ones, in the catalogue's order.

    `control`: the settings' control workload is due if it was not completed yet on this UTC date, and comes first.
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
    past, keys = _Past.read(home / "landing"), PlanKeys(catalogue)
    now = now or datetime.now(UTC)
    workload = _control_due(catalogue, past, now) if control else None
    runs = [
        _planned(catalogue, entry, catalogue.suite(name), past, keys, force, (entry.name, name) == workload, now)
        for entry in wanted
        for name in entry.suites
        if chosen is None or name in chosen
    ]
    return sorted((_with_parted(run, runs, catalogue, past) for run in runs), key=lambda run: not run.is_control)


@dataclass(frozen=True, slots=True)
class _Past:
    """What is landed, read once for all entries."""

    landing: Path
    evaluations: Mapping[str, str]  # from the bundles of task evaluations that count to their runs
    runs: Mapping[tuple[str, str], list[LandedRun]]

    @classmethod
    def read(cls, landing: Path) -> _Past:
        return cls(landing, withdrawn.counted(landing, excluded_runs(landing)), runs_by_workload(landing))

    def of(self, model: str, suite: str) -> Sequence[LandedRun]:
        """The runs of a model and a suite, oldest first."""
        return self.runs.get((model, suite), ())


def in_order(models: Collection[str], catalogue: Catalogue, night: datetime) -> tuple[list[str], str]:
    """The models of a night, shuffled so that drift during the night favours none of them, and the seed used.

    The control's model always comes first.
    """
    seed = f"{catalogue.settings.seed}/{night.astimezone(UTC):%Y-%m-%d}"
    order = random.Random(seed).sample(sorted(models), len(models))
    control = catalogue.settings.control
    return sorted(order, key=lambda name: control is None or name != control.model), seed


def make_spec(catalogue: Catalogue, planned: PlannedRun, home: Path, *, force: bool = False, **further: Any) -> RunSpec:
    """The evaluator's spec for a planned run, with a new run id. `further`: more of the spec's fields."""
    entry = catalogue.model(planned.model)
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
        is_control=planned.is_control,
        **further,
    )


def _planned(
    catalogue: Catalogue,
    entry: ModelEntry,
    suite: SuiteEntry,
    past: _Past,
    keys: PlanKeys,
    force: bool,
    is_control: bool,
    now: datetime,
) -> PlannedRun:
    key = keys.of(entry, suite)
    runs, evaluations = past.of(entry.name, suite.name), past.evaluations
    newest = next((run for run in reversed(runs) if run.start.plan_key == key and run.tasks is not None), None)
    tasks = newest.tasks if newest is not None else None
    change: Change | None = None
    if newest is not None and newest.start.schema_version < _SEES_TOKENIZERS:
        change = last_change(loose_files(entry, catalogue.lineage(entry), catalogue.path.parent))
    missing = [
        task
        for task, planned in (tasks or {}).items()
        if any(name not in evaluations for name in (planned["evaluation"], *planned.get("repetitions", ())))
    ]
    answered = {task: planned["evaluation"] for task, planned in (tasks or {}).items() if task not in missing}
    outdated = [task for task, name in answered.items() if change and bundles.run_time(evaluations[name]) < change.at]
    if entry.retired is not None:
        due, reason = False, f"retired: {entry.retired}"
    elif is_control:
        due, reason = True, "the control workload of this night"
    elif outdated and not force:
        due, reason = True, f"{change}, after {', '.join(outdated)} were evaluated"
    else:
        due, reason = _verdict(entry, suite, past, key, tasks, missing, force, now)
        if not due:
            reason += _doubts(entry.name, runs, tasks or {})
    asks = due and reason != _WEIGHED_AGAIN
    if due and (absent := _absent(catalogue, entry)) is not None:
        reason = f"{reason}, but {absent} does not exist: correct its path in the catalogue"
    duration_s, energy_kwh, expectation = _expectation(runs)
    return PlannedRun(
        model=entry.name,
        suite=suite.name,
        due=due,
        reason=reason,
        plan_key=key,
        is_control=is_control and due,
        tasks_done=len(tasks or {}) - len(missing) - len(outdated),
        tasks_total=len(tasks) if tasks is not None else None,
        expected_duration_s=duration_s if asks else 0.0,
        expected_energy_kwh=energy_kwh if asks else 0.0,
        expectation=expectation if asks else "nothing to evaluate",
    )


def _verdict(
    entry: ModelEntry,
    suite: SuiteEntry,
    past: _Past,
    key: str,
    tasks: dict[str, PlannedTask] | None,
    missing: list[str],
    force: bool,
    now: datetime,
) -> tuple[bool, str]:
    runs = past.of(entry.name, suite.name)
    if force:
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
        why = next((why for run in runs if (why := withdrawn.withdrawal(past.landing, run.run_id))), None)
        if why is not None:
            others += f"; {why}"
        return True, f"{len(missing)} of {len(tasks)} tasks are missing or excluded ({', '.join(missing)}){others}"
    if _weighed_before(suite, tasks):
        return True, _WEIGHED_AGAIN
    oldest = min(bundles.run_time(past.evaluations[planned["evaluation"]]) for planned in tasks.values())
    if entry.refresh_every is not None and now - oldest >= entry.refresh_every:
        return True, f"last evaluated {oldest:%Y-%m-%d %H:%M} UTC, refreshed every {entry.refresh_every}"
    return False, f"all {len(tasks)} tasks were evaluated on {oldest:%Y-%m-%d %H:%M} UTC; nothing has changed since"


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
            last = _newest_complete(past.of(entry.name, run.suite))
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


def _newest_complete(runs: Sequence[LandedRun]) -> LandedRun | None:
    """The newest run that evaluated something and completed; years of nights are not read."""
    for run in reversed(runs):
        if run.summary is not None and run.summary.status == "completed" and run.summary.tasks:
            return run
    return None


def _expectation(runs: Sequence[LandedRun]) -> tuple[float | None, float | None, str]:
    """Duration and energy of the newest complete run."""
    newest = _newest_complete(runs)
    if newest is None or newest.summary is None:
        return None, None, "not known yet: the evaluator estimates each task after its warm-up"
    return newest.summary.duration_s, newest.summary.energy_kwh, f"as in run {newest.run_id}"
