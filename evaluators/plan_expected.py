"""What an evaluation will probably take, judging by earlier ones, and how much of it an `until` will ask.

Belongs here: durations, energies and shares, for plans. Does not belong here: whether it is due (`plan`), or a running
evaluator's own estimates (`process`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluators.catalogue.entries import SuiteEntry
from evaluators.catalogue.fields import width_of
from evaluators.landing.runs import LandedRun, PlannedTask
from evaluators.plan_until import questions
from evaluators.statistics import expected
from evaluators.statistics.expected import Expected
from evaluators.summary import TaskSummary
from evaluators.wording import in_words

_EVERYTHING = Expected(1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an evaluation takes, and on what that rests. None: not known."""

    duration_s: float | None
    energy_kwh: float | None
    words: str


def expectation(runs: Sequence[LandedRun], shares: Mapping[str, float]) -> Expectation:
    """As the newest complete run, of which these shares of the tasks' documents are asked; of other tasks, all."""
    newest = newest_complete(runs)
    if newest is None or newest.summary is None:
        return Expectation(None, None, "not known yet: the evaluator estimates each task after its warm-up")
    duration_s, energy_kwh = newest.summary.duration_s, newest.summary.energy_kwh
    for task in newest.summary.tasks:
        documents = shares.get(task.task, 1.0) * _total(task)
        if documents != task.documents:
            more = documents / task.documents - 1
            duration_s += more * task.duration_s
            energy_kwh = None if energy_kwh is None or task.energy_kwh is None else energy_kwh + more * task.energy_kwh
    return Expectation(duration_s, energy_kwh, f"as in run {newest.run_id}")


def expected_until(
    suite: SuiteEntry,
    runs: Sequence[LandedRun],
    left: Mapping[str, float],
    at_most: Expectation,
    *,
    is_compared: bool,
) -> tuple[Expectation, str]:
    """What is expected where the suite's `until` may end it earlier, and words that end a sentence with both. `left`:
    shares of the tasks' documents that are not asked yet. `is_compared`: there is a reference."""
    newest = newest_complete(runs)
    if newest is None or newest.summary is None or not newest.tasks:
        return at_most, ""
    totals = {task.task: _total(task) for task in newest.summary.tasks}
    shares = _shares(suite, newest.tasks, totals, is_compared=is_compared)
    if all(share == _EVERYTHING for share in shares.values()):
        return at_most, ""
    found = expectation(runs, {task: share.most * left.get(task, 1.0) for task, share in shares.items()})
    documents = sum(totals.values())
    least = sum(share.least * totals[task] for task, share in shares.items()) / documents
    most = sum(share.most * totals[task] for task, share in shares.items()) / documents
    return found, _in_words(least, most, at_most)


def _in_words(least: float, most: float, at_most: Expectation) -> str:
    assert at_most.duration_s is not None
    ends = dict.fromkeys((round(100 * least), round(100 * most)))
    share = f"{' to '.join(map(str, ends))} %"
    energy = f" and {at_most.energy_kwh:.2g} kWh" if at_most.energy_kwh is not None else ""
    return f": {share} of the documents on average; all take {in_words(at_most.duration_s)}{energy}"


def _total(task: TaskSummary) -> int:
    return task.documents_total or task.documents


def newest_complete(runs: Sequence[LandedRun]) -> LandedRun | None:
    """The newest run that evaluated something and completed; years of nights are not read."""
    for run in reversed(runs):
        if run.summary is not None and run.summary.status == "completed" and run.summary.tasks:
            return run
    return None


def _shares(
    suite: SuiteEntry, tasks: Mapping[str, PlannedTask], totals: Mapping[str, int], *, is_compared: bool
) -> dict[str, Expected]:
    """How much of each task will be asked, as shares of its documents; everything where nothing ends it earlier.
    `totals`: documents of the tasks that were evaluated before."""
    shares = dict.fromkeys(totals, _EVERYTHING)
    for question in questions(suite, tasks):
        width = width_of(question.until)
        known = {task: totals[task] for task in question.tasks if task in totals}
        if width is not None:
            shares |= {task: expected.of_width(total, width) for task, total in known.items()}
        elif is_compared and question.task:
            shares |= {task: expected.of_task(total) for task, total in known.items()}
        elif is_compared and len(known) == len(question.tasks):
            weights = [question.tasks[task]["weight"] for task in known]
            shares |= dict(zip(known, expected.of_suite(list(known.values()), weights), strict=True))
    return shares
