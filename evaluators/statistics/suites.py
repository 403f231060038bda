"""A suite: its difference from its tasks, when it is looked at, and what a look shows.

The difference is that of the suite's score, in points: each task's between guessing (0) and everything right (100),
weighted. Tasks are independent strata, so their variances add with their squared weights, as in the marts
(`int_paired_statistics`). Below chance the score stops falling; a suite with such a task has no difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.statistics import decided, looks, paired
from evaluators.statistics.decided import Estimate, Judgement
from evaluators.statistics.paired import Pairs

# Variance of one document's difference that is planned with where a task's is not known: 15 % of the pairs discordant.
# It matters only beside tasks whose variance is known; among the others it cancels.
_PLANNED_VARIANCE = 0.15


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of a suite's task before it is asked. `total`: its documents."""

    total: int
    weight: float = 1.0
    chance: float = 0.0  # share that guessing gets right
    variance: float | None = None  # of the difference of shares, where the task is asked in full beforehand


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a suite's task at a look: both models' shares of the best score, the variance of one document's
    difference, and the one that is expected once all documents are asked."""

    first: float
    second: float
    document_variance: float
    expected_variance: float


def standing_of_pairs(pairs: Pairs, first_correct: int, total: int) -> Standing:
    """A task whose documents are right or wrong. `first_correct`: answers of the first model, among those asked."""
    return Standing(
        first_correct / pairs.asked,
        (first_correct + pairs.net) / pairs.asked,
        paired.document_variance(pairs),
        paired.expected_document_variance(pairs, total),
    )


def standing_of_whole(first: float, second: float, task: Task) -> Standing:
    """A task that is asked in full beforehand, because its documents are not just right or wrong."""
    if task.variance is None:
        raise ValueError("a task that is asked in full has a known variance")
    variance = task.variance * _effective(task.total)
    return Standing(first, second, variance, variance)


def planned_looks(tasks: Sequence[Task]) -> tuple[tuple[int, ...], ...]:
    """Documents asked of each task at each look; all of a task that is asked in full beforehand."""
    adaptive = [task.total for task in tasks if task.variance is None]
    if not adaptive:
        return (tuple(task.total for task in tasks),)
    found = []
    for counts in looks.of_suite(adaptive):
        remaining = iter(counts)
        found.append(tuple(task.total if task.variance is not None else next(remaining) for task in tasks))
    return tuple(found)


def planned_spending(tasks: Sequence[Task]) -> tuple[float, ...]:
    """Share of the error to be spent by each look: that of the information, if every document's difference had the same
    variance, except where a task's is known.

    It is planned, not estimated from the answers. The boundaries take any plan in which the answers have no say (Lan
    and DeMets 1989, Group sequential procedures: calendar versus information time, Statistics in Medicine 8(10),
    1191-1198).
    """
    variances = [
        _PLANNED_VARIANCE if task.variance is None else task.variance * _effective(task.total) for task in tasks
    ]
    return _shares(tasks, planned_looks(tasks), variances)


def judged(tasks: Sequence[Task], path: Sequence[Sequence[Standing]], margin: float) -> Judgement:
    """What the last of the looks at a suite shows. `path`: where the tasks stood at each look so far."""
    return decided.of_suite(_estimates(tasks, path), _information(tasks, path), planned_spending(tasks), margin)


def repeated_p_value(tasks: Sequence[Task], path: Sequence[Sequence[Standing]]) -> float:
    """The suite's p value at the last of the looks."""
    return decided.suite_p_value(_estimates(tasks, path), _information(tasks, path), planned_spending(tasks))


def interval(tasks: Sequence[Task], path: Sequence[Sequence[Standing]]) -> tuple[float, float] | None:
    """Repeated 95 % interval of the suite's difference in points at the last of the looks; None where it has none."""
    return decided.suite_interval(_estimates(tasks, path), _information(tasks, path), planned_spending(tasks))


def estimate(tasks: Sequence[Task], asked: Sequence[int], standings: Sequence[Standing]) -> Estimate | None:
    """The suite's difference once so many documents of each task are asked; None where a model is at or below chance
    in one of the tasks."""
    if any(min(each.first, each.second) <= task.chance for task, each in zip(tasks, standings, strict=True)):
        return None
    differences = [each.second - each.first for each in standings]
    return Estimate(
        sum(weight * difference for weight, difference in zip(_weights(tasks), differences, strict=True)),
        math.sqrt(_variance(tasks, asked, [each.document_variance for each in standings])),
        math.sqrt(_variance(tasks, [task.total for task in tasks], [each.expected_variance for each in standings])),
    )


def _estimates(tasks: Sequence[Task], path: Sequence[Sequence[Standing]]) -> list[Estimate | None]:
    return [estimate(tasks, asked, standings) for asked, standings in zip(planned_looks(tasks), path, strict=False)]


def _information(tasks: Sequence[Task], path: Sequence[Sequence[Standing]]) -> tuple[float, ...]:
    """Share of the information that each look so far has, by the variances that are known now.

    How the looks hang together has to be that of the answers: planned with equal variances, 250 quiet documents beside
    5,000 noisy ones would make 7 % wrong claims.
    """
    variances = [each.document_variance for each in path[-1]]
    return _shares(tasks, planned_looks(tasks), variances)[: len(path)]


def _shares(
    tasks: Sequence[Task], counts: Sequence[Sequence[int]], document_variances: Sequence[float]
) -> tuple[float, ...]:
    """The variance at the end over that at each look."""
    final = _variance(tasks, counts[-1], document_variances)
    return tuple(final / _variance(tasks, asked, document_variances) for asked in counts)


def _variance(tasks: Sequence[Task], asked: Sequence[int], document_variances: Sequence[float]) -> float:
    """Of the suite's difference."""
    return sum(
        weight**2 * variance / _effective(count)
        for weight, variance, count in zip(_weights(tasks), document_variances, asked, strict=True)
    )


def _effective(asked: int) -> int:
    """Documents with those that Bonett and Price add, see `paired`."""
    return asked + 2


def _weights(tasks: Sequence[Task]) -> list[float]:
    """Points of the suite's score per unit of each task's share."""
    all_weights = sum(task.weight for task in tasks)
    return [100 * task.weight / (1 - task.chance) / all_weights for task in tasks]
