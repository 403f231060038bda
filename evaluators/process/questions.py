"""What is judged together, a task or a whole suite: when it is looked at, and what a look at its answers shows.

Belongs here: from the answers of a model and of its reference to `statistics`, and from there to stops. Does not belong
here: asking (`until`), or a task's answers (`compared`).
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators.process.compared import Member
from evaluators.records import SCHEMA_VERSION, Stop
from evaluators.statistics import decided, looks, mcnemar, suites, widths

_ROUNDING = 1e-6  # of a mean of documents' scores, as in int_paired_statistics


@dataclass(frozen=True, slots=True)
class Look:
    """What a look shows. `reason` is why no more need be asked, as in STOP_REASONS; None: go on."""

    reason: str | None
    verdict: str | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked for, as a stop has it; see `records.Stop`."""

    until: str
    width_points: float | None
    margin_points: float | None
    compare_with: str | None
    reference_model_id: str | None


class Question(ABC):
    """Tasks that are judged together. `task` is '' for a suite."""

    def __init__(self, task: str, members: Sequence[Member], terms: Terms) -> None:
        self.task = task
        self.members = members
        self.terms = terms
        self.looks = self._planned()

    @abstractmethod
    def _planned(self) -> Sequence[Mapping[str, int]]:
        """Documents asked of each task at each look; the last has all."""

    @abstractmethod
    def look(self, number: int) -> Look:
        """What a look shows, by its number from 0."""

    @abstractmethod
    def _figures(self, number: int) -> dict[str, Any]:
        """score_test, p_value, low, high and those of the full run at a look."""

    def stops(self, run_id: str, suite: str, repetition: int, number: int, shown: Look) -> list[Stop]:
        """The question's stop at a look, and where it is a suite's, those of its tasks. `shown` may have another reason
        than the look itself."""
        whole = self._stop(self.task, self.members, shown, self._figures(number), number)
        found = [whole] if self.task else [whole, *self._of_tasks(number, shown)]
        return [Stop(run_id=run_id, suite=suite, repetition=repetition, **values) for values in found]

    def _of_tasks(self, number: int, shown: Look) -> list[dict[str, Any]]:
        return []

    def _counts(self, task: str, number: int) -> list[int]:
        """Documents of a task by each look so far."""
        return [look[task] for look in self.looks[: number + 1]]

    def _stop(
        self, task: str, members: Sequence[Member], shown: Look, figures: Mapping[str, Any], number: int
    ) -> dict[str, Any]:
        sides = {member.task.name: member.side for member in members if member.side is not None}
        reference = {name: {"evaluation": s.evaluation, "run_id": s.result.run_id} for name, s in sides.items()}
        weights = {m.task.name: {"fingerprint": m.fingerprint, "weight": m.task.weight} for m in members}
        return {
            "task": task,
            "schema_version": SCHEMA_VERSION,
            "tasks_json": json.dumps(weights),
            "until": self.terms.until,
            "width_points": self.terms.width_points,
            "margin_points": self.terms.margin_points,
            "compare_with": self.terms.compare_with,
            "reference_model_id": self.terms.reference_model_id,
            "reference_json": json.dumps(reference) if reference else None,
            "stop_reason": shown.reason,
            "documents_asked": sum(len(member.scores) for member in members),
            "documents_total": sum(member.total for member in members),
            "verdict": shown.verdict,
            "claim_chance": shown.chance,
            "looks_json": json.dumps(
                [
                    {member.task.name: _at(member, look[member.task.name]) for member in members}
                    for look in self.looks[: number + 1]
                ]
            ),
            **figures,
        }


class TaskQuestion(Question):
    """Whether a task's answers are better or worse than the reference's, or as good within the margin."""

    def _planned(self) -> Sequence[Mapping[str, int]]:
        (member,) = self.members
        return [{member.task.name: asked} for asked in looks.of_task(member.total)]

    def look(self, number: int) -> Look:
        (member,) = self.members
        if not member.is_binary():
            return Look(None)
        return _of_task(member, self._counts(member.task.name, number), self.terms)

    def _figures(self, number: int) -> dict[str, Any]:
        (member,) = self.members
        return _task_figures(member, self._counts(member.task.name, number))


class SuiteQuestion(Question):
    """The same of a suite's score. A task that cannot be walked is asked in full before the first look."""

    def _planned(self) -> Sequence[Mapping[str, int]]:
        names = [member.task.name for member in self.members]
        # Whether a task is asked in full beforehand matters here, not its variance.
        tasks = [self._task(member, None if member.is_walked else 0.0) for member in self.members]
        return [dict(zip(names, counts, strict=True)) for counts in suites.planned_looks(tasks)]

    def look(self, number: int) -> Look:
        if not self._has_difference():
            return Look(None)
        assert self.terms.margin_points is not None
        found = suites.judged(self._tasks(), self._standings(number), self.terms.margin_points)
        return Look(found.reason, found.verdict, found.chance)

    def _figures(self, number: int) -> dict[str, Any]:
        if not self._has_difference():
            return _NO_FIGURES
        tasks, standings = self._tasks(), self._standings(number)
        low, high = suites.interval(tasks, standings) or (None, None)
        p_value = None if low is None else suites.repeated_p_value(tasks, standings)
        return _NO_FIGURES | {"score_test": "repeated_normal", "p_value": p_value, "low": low, "high": high}

    def _of_tasks(self, number: int, shown: Look) -> list[dict[str, Any]]:
        found = []
        for member in self.members:
            if member.is_walked and member.is_binary() and not member.was_whole:
                counts = self._counts(member.task.name, number)
                own = _of_task(member, counts, self.terms)
                of_task = Look(shown.reason, own.verdict if own.reason in ("claim", "all") else None, own.chance)
                figures = _task_figures(member, counts)
                found.append(self._stop(member.task.name, [member], of_task, figures, number))
        return found

    def _has_difference(self) -> bool:
        return all(member.is_binary() if member.is_walked else _is_mean(member) is not None for member in self.members)

    def _tasks(self) -> list[suites.Task]:
        return [self._task(member, None if member.is_walked else _of_whole(member)[2] ** 2) for member in self.members]

    @staticmethod
    def _task(member: Member, variance: float | None) -> suites.Task:
        return suites.Task(member.total, member.task.weight, member.task.chance, variance)

    def _standings(self, number: int) -> list[list[suites.Standing]]:
        tasks = self._tasks()
        return [
            [self._standing(member, task, look) for member, task in zip(self.members, tasks, strict=True)]
            for look in self.looks[: number + 1]
        ]

    @staticmethod
    def _standing(member: Member, task: suites.Task, look: Mapping[str, int]) -> suites.Standing:
        if not member.is_walked:
            first, second, _ = _of_whole(member)
            return suites.standing_of_whole(first, second, task)
        asked = look[member.task.name]
        first_correct = sum(member.reference_correct(place) for place in member.order[:asked])
        return suites.standing_of_pairs(member.pairs(asked), first_correct, member.total)


class WidthQuestion(Question):
    """The full run's score, known to a width."""

    def _planned(self) -> Sequence[Mapping[str, int]]:
        (member,) = self.members
        return [{member.task.name: asked} for asked in looks.of_width(member.total)]

    def look(self, number: int) -> Look:
        (member,) = self.members
        if not member.is_binary() or self.terms.width_points is None:
            return Look(None)
        asked = self.looks[number][member.task.name]
        if asked == member.total:
            return Look("all")
        return Look("width" if _full(member, asked).half_width <= self.terms.width_points else None)

    def _figures(self, number: int) -> dict[str, Any]:
        (member,) = self.members
        if not member.is_binary():
            return _NO_FIGURES
        asked = self.looks[number][member.task.name]
        found, correct = _full(member, asked), 0
        if _is_compared(member):
            correct = sum(member.reference_correct(place) for place in member.order)
        low, high = (100 * (correct + end) / member.total for end in (found.low, found.high))
        return _NO_FIGURES | {"low": low, "high": high} | _full_difference(member, asked)


_NO_FIGURES = dict.fromkeys(("score_test", "p_value", "low", "high", "full_low", "full_high"))


def _of_task(member: Member, counts: Sequence[int], terms: Terms) -> Look:
    assert terms.margin_points is not None
    found = decided.of_task(member.path(counts), member.total, terms.margin_points)
    return Look(found.reason, found.verdict, found.chance)


def _task_figures(member: Member, counts: Sequence[int]) -> dict[str, Any]:
    if not member.is_binary():
        return _NO_FIGURES
    path = member.path(counts)
    low, high = decided.task_interval(path, member.total)
    p_value = mcnemar.repeated_p_value(path, member.total)
    figures = {"score_test": "repeated_mcnemar", "p_value": p_value, "low": low, "high": high}
    return figures | _full_difference(member, counts[-1])


def _is_compared(member: Member) -> bool:
    """Whether the reference's answers are strata of the full run."""
    return member.side is not None and member.side.result.is_binary


def _full(member: Member, asked: int) -> widths.Interval:
    """The full run's correct answers, or where there is a reference by how many they exceed its own."""
    if not _is_compared(member):
        return widths.of_score(widths.Part(member.total, asked, member.correct(asked)))
    right = sum(member.reference_correct(place) for place in member.order)
    right_asked = sum(member.reference_correct(place) for place in member.order[:asked])
    pairs = member.pairs(asked)
    return widths.of_difference(
        gained=widths.Part(member.total - right, asked - right_asked, pairs.gained),
        lost=widths.Part(right, right_asked, pairs.lost),
    )


def _full_difference(member: Member, asked: int) -> dict[str, Any]:
    if not _is_compared(member):
        return {"full_low": None, "full_high": None}
    found = _full(member, asked)
    return {"full_low": 100 * found.low / member.total, "full_high": 100 * found.high / member.total}


def _is_mean(member: Member) -> tuple[list[float], list[float]] | None:
    """Both models' scores by document where the metric is their mean; None where it is not."""
    assert member.side is not None
    own, its = [member.scores[place] for place in member.order], [member.side.scores[place] for place in member.order]
    if any(score is None for score in (*own, *its)):
        return None
    first = [score for score in its if score is not None]
    is_mean = abs(math.fsum(first) / len(first) - member.side.result.value) < _ROUNDING
    return (first, [score for score in own if score is not None]) if is_mean else None


def _of_whole(member: Member) -> tuple[float, float, float]:
    """Both models' shares of the best score, the reference's first, and the standard error of their difference."""
    scores = _is_mean(member)
    assert scores is not None
    first, second = scores
    scale = member.task.entry.scale or 1.0

    def share(values: Sequence[float]) -> float:
        value = math.fsum(values) / len(values) / scale
        return value if member.task.higher_is_better else 1 - value

    differences = [(b - a) / scale for a, b in zip(first, second, strict=True)]
    mean = math.fsum(differences) / len(differences)
    variance = math.fsum((each - mean) ** 2 for each in differences) / max(len(differences) - 1, 1)
    return share(first), share(second), math.sqrt(variance / len(differences))


def _at(member: Member, asked: int) -> dict[str, int]:
    if not member.is_binary():
        return {"asked": asked}
    found = {"asked": asked, "correct": member.correct(asked)}
    if not _is_compared(member):
        return found
    pairs = member.pairs(asked)
    return found | {"gained": pairs.gained, "lost": pairs.lost}
