"""How much a suite asks: which model it compares with, and which combinations of words cannot be meant.

Belongs here: what `until`, `compare_with` and `margin` mean together. Does not belong here: their spelling (`fields`),
or what was asked already (`landing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluators.catalogue.fields import DECIDED, Problem, did_you_mean, width_of

if TYPE_CHECKING:
    from evaluators.catalogue.entries import ModelEntry, SuiteEntry

BASE, LAST = "base", "last"
_SAMPLE = "the first documents are no sample of the rest, so nothing can be decided from them"


@dataclass(frozen=True, slots=True)
class Reference:
    """The model that another is compared with. `model` is None where there is none; then `why_not` says why."""

    model: str | None
    why_not: str | None = None


def reference_of(entry: ModelEntry, suite: SuiteEntry, models: Mapping[str, ModelEntry]) -> Reference:
    """The model that the entry is compared with on the suite; `last` is the entry itself, as it was before."""
    if suite.compare_with == LAST:
        return Reference(entry.name)
    name = entry.base_model if suite.compare_with == BASE else suite.compare_with
    if name is None:
        return Reference(None, "it has no base")
    if name == entry.name:
        return Reference(None, "the others are compared with it")
    if name not in models:
        return Reference(None, f"its base {name} is not in the catalogue")
    if suite.name not in models[name].suites:
        return Reference(None, f"{name} does not have the suite {suite.name}")
    return Reference(name)


def misfits(suite: SuiteEntry) -> Iterator[Problem]:
    """Combinations inside a suite that cannot be meant, each with its place in the suite."""
    if suite.until is not None and width_of(suite.until) is not None:
        remedy = f"write until: {DECIDED}, or {suite.until} at each task: {{task: …, until: {suite.until}}}"
        yield ("until",), f"a width is one task's, and the tasks of a suite have none together; {remedy}"
    for number, task in enumerate(suite.tasks):
        if task.until is not None and suite.until is not None:
            text = f"the suite is asked until it is decided as a whole; remove until from {task.task} or from the suite"
            yield ("tasks", number, "until"), text
        elif task.until is None and suite.until is None:
            continue
        elif task.limit is not None:
            yield ("tasks", number, "limit"), f"until goes with all documents, and {_SAMPLE}; remove limit or until"
        elif suite.limit is not None and task.until is not None:
            text = f"until goes with all documents, and {_SAMPLE}; remove the suite's limit, or this until"
            yield ("tasks", number, "until"), text
    if suite.until is not None and suite.limit is not None:
        yield ("limit",), f"until goes with all documents, and {_SAMPLE}; remove limit or until"


def without_reference(suite: SuiteEntry, models: Mapping[str, ModelEntry]) -> Iterator[Problem]:
    """What keeps every model of the suite from being compared. A single model without a reference is no problem: it is
    asked everything, which the plan says."""
    named = suite.compare_with
    place = ("compare_with",) if "compare_with" in suite.model_fields_set else ("until",)
    if named not in (BASE, LAST):
        if named not in models:
            yield place, f"there is no model {named}{did_you_mean(named, [BASE, LAST, *models])}"
        elif suite.name not in models[named].suites:
            own = ", ".join(models[named].suites)
            yield place, f"{named} does not have the suite {suite.name}, so nothing is compared; its suites: {own}"
        return
    if DECIDED not in (suite.until, *(task.until for task in suite.tasks)):
        return
    asked = [entry for entry in models.values() if suite.name in entry.suites]
    if asked and all(reference_of(entry, suite, models).model is None for entry in asked):
        bases = ", ".join(sorted({str(entry.base_model) for entry in asked if entry.base_model is not None}))
        missing = f" ({bases})" if bases else ""
        yield (
            place if suite.until is not None else ("tasks",),
            f"no model of the suite has a base in the catalogue{missing} that has the suite, too, so nothing can be "
            f"decided; add it with this suite, or write compare_with: and a model's name, or {LAST}",
        )
