"""A suite's difference from its tasks, and how much of the information each look has.

The difference is that of the suite's score, in points: each task's between guessing (0) and everything right (100),
weighted. Tasks are independent strata, so their variances add with their squared weights, as in the marts
(`int_paired_statistics`). Below chance the score stops falling; a suite with such a task has no difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.statistics import looks, paired
from evaluators.statistics.decided import Estimate
from evaluators.statistics.paired import Pairs

# Variance of one document's difference that is planned with where a task's is not known: 15 % of the pairs discordant.
# It matters only beside tasks whose variance is known; among the others it cancels.
PLANNED_VARIANCE = 0.15


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of a suite's task before it is asked. `total`: its documents."""

    total: int
    weight: float = 1.0
    chance: float = 0.0  # share that guessing gets right
    variance: float | None = None  # of the difference of shares, where the task is asked in full beforehand


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a suite's task at a look: both models' shares of the best score, and the variance of their
    difference, now and once all documents are asked."""

    first: float
    second: float
    variance: float
    final_variance: float


def standing_of_pairs(pairs: Pairs, first_correct: int, total: int) -> Standing:
    """A task whose documents are right or wrong. `first_correct`: answers of the first model, among those asked."""
    return Standing(
        first_correct / pairs.asked,
        (first_correct + pairs.net) / pairs.asked,
        paired.standard_error(pairs) ** 2,
        paired.document_variance(pairs) / (total + 2),
    )


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


def shares_of_information(tasks: Sequence[Task], counts: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Share of the information that each look has: the variance at the end over the variance then.

    It is planned, not estimated from the answers, as the boundaries demand (Lan and DeMets 1989, Group sequential
    procedures: calendar versus information time, Statistics in Medicine 8(10), 1191-1198): every document's difference
    is taken to have the same variance, except where a task's is known.
    """

    def variance(asked: Sequence[int]) -> float:
        return sum(
            weight**2 * (PLANNED_VARIANCE / count if task.variance is None else task.variance)
            for task, weight, count in zip(tasks, _weights(tasks), asked, strict=True)
        )

    final = variance(counts[-1])
    return tuple(final / variance(asked) for asked in counts)


def estimate(tasks: Sequence[Task], standings: Sequence[Standing]) -> Estimate | None:
    """The suite's difference; None where a model is at or below chance in one of the tasks."""
    at_chance = any(min(each.first, each.second) <= task.chance for task, each in zip(tasks, standings, strict=True))
    if at_chance:
        return None
    weighted = list(zip(_weights(tasks), standings, strict=True))
    return Estimate(
        sum(weight * (each.second - each.first) for weight, each in weighted),
        math.sqrt(sum(weight**2 * each.variance for weight, each in weighted)),
        math.sqrt(sum(weight**2 * each.final_variance for weight, each in weighted)),
    )


def _weights(tasks: Sequence[Task]) -> list[float]:
    """Points of the suite's score per unit of each task's share."""
    all_weights = sum(task.weight for task in tasks)
    return [100 * task.weight / (1 - task.chance) / all_weights for task in tasks]
