"""How much a plan asks where a suite says `until`: what stops answer, what is compared with what, what is expected.

Belongs here: comparing landed parts and stops with the catalogue's words. Does not belong here: whether an entry is due
(`plan`), or the looks at answers (`statistics`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.catalogue.entries import Catalogue, SuiteEntry
from evaluators.catalogue.fields import DECIDED, width_of
from evaluators.landing import bundles, parts, stops
from evaluators.landing.parts import LandedPart
from evaluators.landing.runs import PlannedTask
from evaluators.records import Stop
from evaluators.spec import ComparedWith


@dataclass(frozen=True, slots=True)
class Landed:
    """What is landed and counts, by the names of task evaluations' bundles or of questions."""

    evaluations: Mapping[str, str]  # complete ones, to their runs
    parts: Mapping[str, Sequence[LandedPart]]
    stops: Mapping[str, Sequence[Path]]


@dataclass(frozen=True, slots=True)
class Answered:
    """What stops say about an entry's tasks."""

    runs: Mapping[str, str]  # task evaluations that are not complete and need not be, to the runs that stopped them
    findings: Sequence[str]  # what was found, in words
    shortfalls: Sequence[str]  # why other stops do not answer, in words


@dataclass(frozen=True, slots=True)
class Question:
    """What is judged together: a task, or with the task '' all of a suite's tasks."""

    task: str
    until: str
    tasks: Mapping[str, PlannedTask]


def goes_by_until(suite: SuiteEntry) -> bool:
    """Whether anything of the suite may end before everything is asked."""
    return any(until is not None for until in _untils(suite))


def is_to_be_decided(suite: SuiteEntry) -> bool:
    """Whether anything of the suite ends when it is known which of two models is better."""
    return DECIDED in _untils(suite)


def references_first(models: Sequence[str], catalogue: Catalogue) -> list[str]:
    """The models in their order, but each after those that it is compared with. Of two models that are compared with
    each other, in different suites, the first stays first."""
    order: list[str] = []

    def place(name: str, waiting: tuple[str, ...]) -> None:
        if name in order or name in waiting:
            return
        compared_with = _references(name, catalogue)
        for reference in (other for other in models if other in compared_with):
            place(reference, (*waiting, name))
        order.append(name)

    for name in models:
        place(name, ())
    return order


def answered(
    suite: SuiteEntry, tasks: Mapping[str, PlannedTask], reference: ComparedWith | None, landed: Landed
) -> Answered:
    """Which of the tasks' evaluations need not be complete, because a stop answers what the suite asks for."""
    runs: dict[str, str] = {}
    findings, shortfalls = list[str](), list[str]()
    for question in questions(suite, tasks):
        for number, names in enumerate(_repetitions(question)):
            if all(name in landed.evaluations for name in names.values()):
                continue
            judged = [
                (stop, _why_not(stop, suite, question, names, reference, landed))
                for stop in map(stops.read, landed.stops.get(key(question, names), ()))
                if stop is not None
            ]
            answer = next((stop for stop, why_not in reversed(judged) if why_not is None), None)
            if answer is not None:
                runs |= {name: answer.run_id for name in names.values() if name not in landed.evaluations}
            if number > 0:  # repetitions differ only in their energy
                continue
            of = f"{question.task}: " if question.task else ""
            if answer is not None:
                findings.append(of + stops.finding(answer))
            elif judged:
                newest, why_not = judged[-1]
                at = f"{bundles.run_time(newest.run_id):%Y-%m-%d %H:%M} UTC"
                shortfalls.append(f"{of}what was known on {at} is not enough: {why_not}")
    return Answered(runs, findings, shortfalls)


def asked_in_part(
    tasks: Mapping[str, PlannedTask], missing: Sequence[str], landed: Landed
) -> dict[str, tuple[int, int]]:
    """Documents asked, and of how many, of those missing tasks of which a part is asked."""
    found = {}
    for task in missing:
        of_task = landed.parts.get(tasks[task]["evaluation"], ())
        total = parts.documents_total(of_task)
        if total is not None and tasks[task]["evaluation"] not in landed.evaluations:
            found[task] = (len(parts.asked(of_task)), total)
    return found


def in_words(suite: SuiteEntry, reference: ComparedWith | None, why_not: str | None, *, is_awaited: bool) -> str:
    """How much is asked. `why_not`: there is no reference; `is_awaited`: the reference is evaluated in the same night,
    before."""
    widths = sorted({until for until in _untils(suite) if until is not None and until != DECIDED})
    found = [f"asked until each score is known to {' or '.join(widths)}"] if widths else []
    if is_to_be_decided(suite):
        if reference is None:
            found.append(f"asked in full: {why_not}")
        elif reference.evaluations or is_awaited:
            before = ", which is evaluated before" if is_awaited else ""
            margin = f"within {suite.margin_points:g} points"
            found.append(f"asked until it is decided against {reference.model}{before}, {margin}")
        else:
            found.append(f"asked in full: {reference.model} is not evaluated completely")
    return " and ".join(found)


def _untils(suite: SuiteEntry) -> list[str | None]:
    return [suite.until, *(task.until for task in suite.tasks)]


def _references(name: str, catalogue: Catalogue) -> set[str]:
    """The models that a model is compared with in its suites."""
    entry = catalogue.model(name)
    suites = [suite for suite in map(catalogue.suite, entry.suites) if goes_by_until(suite)]
    found = {catalogue.reference(entry, suite).model for suite in suites}
    return {model for model in found if model is not None and model != name}


def questions(suite: SuiteEntry, tasks: Mapping[str, PlannedTask]) -> Iterator[Question]:
    """The questions of the suite that may end before everything is asked."""
    if suite.until is not None:
        yield Question("", suite.until, tasks)
        return
    by_entry = {entry.task: entry.until for entry in suite.tasks}
    for task, planned in tasks.items():
        until = by_entry.get(planned.get("group", task))
        if until is not None:
            yield Question(task, until, {task: planned})


def key(question: Question, names: Mapping[str, str]) -> str:
    """The name of the question, as its stops' bundles have it. `names`: its task evaluations by task."""
    if question.task:
        return names[question.task]
    return bundles.suite_question({names[task]: planned["weight"] for task, planned in question.tasks.items()})


def _repetitions(question: Question) -> Iterator[dict[str, str]]:
    """The task evaluations of each repetition; none where a task could not be loaded."""
    names = [
        (planned["evaluation"], *planned.get("repetitions", ())) if planned["evaluation"] else ()
        for planned in question.tasks.values()
    ]
    for repetition in zip(*names, strict=False):
        yield dict(zip(question.tasks, repetition, strict=True))


def _why_not(
    stop: Stop,
    suite: SuiteEntry,
    question: Question,
    names: Mapping[str, str],
    reference: ComparedWith | None,
    landed: Landed,
) -> str | None:
    """Why the stop does not answer the question, in words; None where it does."""
    for task, asked in stops.asked_by_task(stop).items():
        if names[task] not in landed.evaluations and len(parts.asked(landed.parts.get(names[task], ()))) < asked:
            return "some of its answers do not count any more"
    sides = json.loads(stop.reference_json or "{}").values()
    if any(side["evaluation"] not in landed.evaluations for side in sides):
        return f"the answers of {stop.reference_model_id} do not count any more"
    compared_with = None if reference is None else (reference.model, reference.evaluations)
    return stops.shortfall(stop, width_of(question.until), suite.margin_points, compared_with)
