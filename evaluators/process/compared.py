"""A task's answers beside those of the reference.

Belongs here: which documents one model has right and the other wrong, among the first ones in the order of asking. Does
not belong here: what that shows (`questions`), or asking (`until`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.landing import bundles
from evaluators.process.rows import comparison_key, is_correct
from evaluators.records import Sample, TaskResult
from evaluators.statistics.paired import Pairs


@dataclass(frozen=True, slots=True)
class Side:
    """The reference's complete evaluation of a task. `scores`: of its documents, by document_id."""

    evaluation: str
    result: TaskResult
    scores: Mapping[int, float | None]

    @classmethod
    def read(cls, landing: Path, run_id: str, evaluation: str) -> Side | None:
        """None where it is damaged, which the loader quarantines and reports."""
        bundle = bundles.bundle_at(landing / run_id / evaluation)
        try:
            results, samples = bundles.rows(bundle, TaskResult), bundles.rows(bundle, Sample)
        except (KeyError, ValueError, OSError, pa.ArrowException):
            return None
        primary = next(result for result in results if result.is_primary)
        return cls(evaluation, primary, {sample.document_id: sample.score for sample in samples})


@dataclass(slots=True)
class Member:
    """A task of a question, and what is known of its answers. `order`: its documents as they are asked; `scores`: of
    those that are asked, by document_id."""

    task: LoadedTask
    evaluation: str
    fingerprint: str
    order: Sequence[int]
    side: Side | None = None
    scores: dict[int, float | None] = field(default_factory=dict)
    was_whole: bool = False  # before the question was asked, so that no look at a part of it decided anything

    @property
    def total(self) -> int:
        return len(self.order)

    @property
    def is_walked(self) -> bool:
        """Whether it can be decided by the documents that one model has right and the other wrong. Documents on one
        passage are right or wrong together, so that they are no walk of independent steps."""
        return self.side is not None and self.side.result.is_binary and not self.task.shares_passages

    def misfit(self, seed: int) -> str | None:
        """Why its answers cannot be compared with those of the reference, in words; None where they can."""
        if self.side is None:
            return "the reference has no complete evaluation of it"
        if self.side.result.comparison_key != comparison_key(self.task, seed):
            return "the reference was asked other questions"
        return None

    def is_binary(self) -> bool:
        """Whether each answer so far is right or wrong."""
        return self.task.binary is not False and all(score in (0.0, 1.0) for score in self.scores.values())

    def correct(self, asked: int) -> int:
        """How many of the first documents are right."""
        return sum(self._is_correct(place) for place in self.order[:asked])

    def pairs(self, asked: int) -> Pairs:
        """Of the first documents, beside the reference."""
        both = [(self._is_correct(place), self.reference_correct(place)) for place in self.order[:asked]]
        return Pairs(asked, sum(own and not its for own, its in both), sum(its and not own for own, its in both))

    def path(self, counts: Sequence[int]) -> list[Pairs]:
        """At each of these looks; one that adds nothing is none."""
        return [self.pairs(asked) for asked in dict.fromkeys(counts)]

    def reference_correct(self, place: int) -> bool:
        assert self.side is not None
        return bool(is_correct(self.side.scores[place], higher_is_better=self.task.higher_is_better))

    def _is_correct(self, place: int) -> bool:
        return bool(is_correct(self.scores[place], higher_is_better=self.task.higher_is_better))
