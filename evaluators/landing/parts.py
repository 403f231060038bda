"""Parts of task evaluations: which documents of a question were asked already, by which runs, and what came of it.

Where not all of a task's documents may be asked, each chunk is landed as soon as it was asked: documents have places in
the order in which the model is asked them, and a part has consecutive ones. Parts never mix with whole evaluations, and
whoever reads those need not know them: they are bundles of other names, with tables of their own. Does not belong here:
why no more was asked (`stops`), and scores.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from evaluators.landing import bundles, withdrawn
from evaluators.records import Part, PartEmission, PartSample, TaskEmission, Window


@dataclass(frozen=True, slots=True)
class LandedPart:
    """A part as its bundle's name shows it."""

    path: Path
    places: range

    @property
    def run_id(self) -> str:
        return self.path.parent.name


@dataclass(frozen=True, slots=True)
class Answers:
    """What was landed of a question's parts. `samples` has one document a place, in the order of places."""

    parts: tuple[Part, ...]
    samples: tuple[PartSample, ...]
    emissions: tuple[PartEmission, ...]


def landed(root: Path, without: Collection[str] = ()) -> Mapping[str, list[LandedPart]]:
    """The parts of each task evaluation that count, by the name of the whole's bundle, oldest run first. Those of a run
    that is withdrawn or in `without` do not count."""
    found: defaultdict[str, list[LandedPart]] = defaultdict(list)
    for path in bundles.paths(root, without):
        named = bundles.places_in(path.name)
        if named is not None and withdrawn.withdrawal(root, path.parent.name) is None:
            evaluation, places = named
            found[evaluation].append(LandedPart(path, places))
    return found


def asked(parts: Sequence[LandedPart]) -> dict[int, LandedPart]:
    """The places that are asked, in order, each with the part that counts: the one of the newest run."""
    found = {place: part for part in parts for place in part.places}
    return dict(sorted(found.items()))


def documents_total(parts: Sequence[LandedPart]) -> int | None:
    """How many documents the whole question has; None without an undamaged part."""
    for part in reversed(parts):
        with suppress(KeyError, ValueError, OSError, pa.ArrowException):
            return bundles.rows(bundles.bundle_at(part.path), Part)[0].documents_total
    return None


def completed_with(root: Path, run_id: str) -> list[str]:
    """The other runs that completed an evaluation of which the run asked a part: its answers are in theirs, too."""
    names = {named[0] for path in (root / run_id).iterdir() if (named := bundles.places_in(path.name)) is not None}
    return sorted({path.parent.name for path in bundles.paths(root) if path.name in names} - {run_id})


def read(parts: Sequence[LandedPart]) -> Answers:
    """What was landed of the parts. A damaged one counts as not asked; the loader quarantines and reports it.

    Where two runs asked the same places, as after `--force`, the newer one's answers count, and its energies.
    """
    whole: dict[LandedPart, Answers] = {}
    for part in parts:
        bundle = bundles.bundle_at(part.path)
        with suppress(KeyError, ValueError, OSError, pa.ArrowException):
            whole[part] = Answers(
                tuple(bundles.rows(bundle, Part)),
                tuple(bundles.rows(bundle, PartSample)),
                tuple(bundles.rows(bundle, PartEmission)),
            )
    counts = asked(list(whole))
    counting = [whole[part] for part in dict.fromkeys(counts.values())]
    samples = {
        sample.place: sample
        for part, answers in whole.items()
        for sample in answers.samples
        if counts.get(sample.place) is part
    }
    return Answers(
        tuple(row for answers in counting for row in answers.parts),
        tuple(sample for _, sample in sorted(samples.items())),
        tuple(row for answers in counting for row in answers.emissions),
    )


def metered(emissions: Iterable[TaskEmission], parts: Iterable[PartEmission]) -> list[Window]:
    """A run's windows, each energy once: a sum of parts was used when they were asked, perhaps by earlier runs.

    Whether other programs took too much shows only in the sum of a task's windows. Its other flags are the parts' own,
    or about the sum alone.
    """
    whole: list[TaskEmission] = []
    crowded: dict[tuple[str, str, int], str] = {}
    for window in emissions:
        if not window.is_sum_of_parts:
            whole.append(window)
        elif "foreign_load" in (window.quality_flags or ""):
            crowded[_phase(window)] = "foreign_load"
    asked = [dataclasses.replace(part, quality_flags=part.quality_flags or crowded.get(_phase(part))) for part in parts]
    return [*whole, *asked]


def _phase(window: Window) -> tuple[str, str, int]:
    return window.task, window.phase, window.repetition
