"""What a gate asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.catalogue.entries import Catalogue, ModelEntry
from evaluators.catalogue.until import BASE, LAST
from orchestration.gates import GateRefused

WHOLE_SUITE = ""  # the task of a question about the suite as a whole, as in the landing


@dataclass(frozen=True, slots=True)
class Asked:
    """May the candidate take the place of the reference, by a suite or by some of its tasks?"""

    candidate: str
    compare_with: str  # base, last or a model's name
    reference: str  # a model's name; the candidate's own where it is compared with an earlier revision
    suite: str
    questions: tuple[str, ...]  # tasks, or WHOLE_SUITE
    score_margin: float  # points
    energy_margin: float | None  # a ratio; None: the energy is not judged
    passes_inconclusive: bool

    @property
    def names_an_earlier_revision(self) -> bool:
        return self.reference == self.candidate


def ask(
    catalogue: Catalogue,
    candidate: str,
    compare_with: str,
    suite: str | None,
    tasks: Sequence[str],
    *,
    score_margin: float,
    energy_margin: float | None,
    passes_inconclusive: bool,
) -> Asked:
    """Raises GateRefused, or CatalogueError for a name that is not in the catalogue."""
    entry = catalogue.model(candidate)
    chosen = _suite(catalogue, entry, suite)
    return Asked(
        candidate=entry.name,
        compare_with=compare_with,
        reference=_reference(catalogue, entry, chosen, compare_with),
        suite=chosen,
        questions=tuple(dict.fromkeys(tasks)) or (WHOLE_SUITE,),
        score_margin=score_margin,
        energy_margin=energy_margin,
        passes_inconclusive=passes_inconclusive,
    )


def _suite(catalogue: Catalogue, entry: ModelEntry, named: str | None) -> str:
    own = ", ".join(entry.suites)
    if named is None and len(entry.suites) > 1:
        raise GateRefused(f"{entry.name} has several suites; name one with --suite: {own}")
    suite = catalogue.suite(entry.suites[0] if named is None else named).name
    if suite not in entry.suites:
        raise GateRefused(f"{entry.name} does not have the suite {suite}; its suites: {own}")
    return suite


def _reference(catalogue: Catalogue, entry: ModelEntry, suite: str, compare_with: str) -> str:
    if compare_with not in (BASE, LAST) and catalogue.model(compare_with) == entry:
        raise GateRefused(f"{entry.name} is the candidate itself; --against {LAST} names its revision before this one")
    asked = catalogue.compared_with(compare_with)
    found = asked.reference(entry, asked.suite(suite))
    if found.model is None:
        raise GateRefused(
            f"{entry.name} cannot be compared with {compare_with}: {found.why_not}; --against also takes {LAST} and "
            "the names of models in the catalogue"
        )
    return found.model
