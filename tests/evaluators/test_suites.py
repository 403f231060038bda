"""A suite's difference and its looks. How often its claims are wrong is simulated in test_error_rates.py."""

from __future__ import annotations

import itertools
import math

import pytest

from evaluators.statistics import brownian, decided, looks, suites
from evaluators.statistics.decided import Estimate, of_suite
from evaluators.statistics.paired import Pairs, standard_error
from evaluators.statistics.suites import Standing, Task

MARGIN = 2.0
TASKS = [Task(100, weight=2, chance=0.25), Task(400, weight=1), Task(50, weight=1, chance=0.5)]


def test_looks_ask_as_many_of_each_task_as_it_has() -> None:
    counts = suites.planned_looks(TASKS)
    assert counts[:3] == ((32, 32, 32), (45, 45, 45), (63, 63, 50))
    assert counts[-1] == (100, 400, 50)


def test_what_is_spent_rises_to_everything() -> None:
    planned = suites.planned_spending(TASKS)
    assert all(later > earlier for earlier, later in itertools.pairwise(planned))
    assert planned[-1] == 1


def test_a_task_that_is_asked_in_full_has_its_information_from_the_start() -> None:
    tasks = [*TASKS, Task(70, variance=1e-4)]
    assert {count[-1] for count in suites.planned_looks(tasks)} == {70}
    quiet, noisy = (suites.planned_spending([*TASKS, Task(70, variance=each)])[0] for each in (1e-4, 1e-1))
    assert suites.planned_spending(TASKS)[0] < quiet < noisy
    assert suites.planned_looks([Task(70, variance=1e-4)]) == ((70,),)
    standing = suites.standing_of_whole(0.4, 0.5, tasks[-1])
    assert standing.document_variance / 72 == pytest.approx(1e-4)
    with pytest.raises(ValueError, match="known variance"):
        suites.standing_of_whole(0.4, 0.5, TASKS[0])


def test_the_difference_is_that_of_the_score() -> None:
    """Points between guessing and everything right, weighted: (2 * 8/75 + 1 * 40/400 + 1 * 0) / 4."""
    pairs = [Pairs(100, 10, 2), Pairs(400, 60, 20), Pairs(50, 1, 1)]
    correct = (60, 200, 40)
    standings = [suites.standing_of_pairs(each, first, each.asked) for each, first in zip(pairs, correct, strict=True)]
    found = suites.estimate(TASKS, (100, 400, 50), standings)
    assert found is not None
    assert found.difference == pytest.approx(100 * (2 * 0.08 / 0.75 + 0.1) / 4)
    variance = sum(
        (100 * task.weight / (1 - task.chance) / 4 * standard_error(each)) ** 2
        for each, task in zip(pairs, TASKS, strict=True)
    )
    assert found.error == pytest.approx(variance**0.5)
    assert found.final_error == pytest.approx(found.error), "everything is asked"


def test_with_a_task_at_chance_there_is_no_difference() -> None:
    tasks, counts = [Task(100, chance=0.25), Task(100, chance=0.25)], (100, 100)
    above, at_chance, below = (Standing(*shares, 0.1, 0.1) for shares in ((0.5, 0.5), (0.5, 0.25), (0.2, 0.5)))
    assert suites.estimate(tasks, counts, [above, above]) is not None
    assert suites.estimate(tasks, counts, [above, at_chance]) is None
    assert suites.estimate(tasks, counts, [above, below]) is None


def test_a_suite_without_a_difference_goes_on_to_the_end() -> None:
    assert of_suite([None], (0.5,), (0.5, 1.0), MARGIN).reason is None
    judged = of_suite([None, None], (0.5, 1.0), (0.5, 1.0), MARGIN)
    assert (judged.verdict, judged.reason) == (None, "all")
    assert decided.suite_interval([None, None], (0.5, 1.0), (0.5, 1.0)) is None


@pytest.mark.parametrize(
    ("path", "verdict", "reason"),
    [
        ([Estimate(10.0, 2.0, 1.4)], "better", "claim"),
        ([Estimate(-10.0, 2.0, 1.4)], "worse", "claim"),
        ([Estimate(4.0, 2.0, 1.4)], None, None),
        ([Estimate(0.1, 2.0, 1.4)], "no_difference_shown", "given_up"),
        ([Estimate(0.1, 0.5, 0.3)], "equivalent", "claim"),
        ([None, Estimate(10.0, 2.0, 2.0)], "better", "claim"),
        ([Estimate(2.0, 2.0, 1.4), Estimate(2.0, 1.4, 1.4)], "no_difference_shown", "all"),
    ],
)
def test_what_a_look_shows(path: list[Estimate | None], verdict: str | None, reason: str | None) -> None:
    planned = (0.5, 1.0)
    shares = planned[: len(path)]
    judged = of_suite(path, shares, planned, MARGIN)
    assert (judged.verdict, judged.reason) == (verdict, reason)
    is_shown = decided.suite_p_value(path, shares, planned) <= looks.LEVEL
    assert is_shown == (verdict in ("better", "worse"))


def test_from_answers_to_a_judgement() -> None:
    """The second model gains 12 % of each task's documents and loses 2 %."""
    path = []
    for asked in suites.planned_looks(TASKS):
        pairs = [Pairs(count, round(0.12 * count), round(0.02 * count)) for count in asked]
        path.append(
            [
                suites.standing_of_pairs(each, round(0.7 * each.asked), task.total)
                for each, task in zip(pairs, TASKS, strict=True)
            ]
        )
        judged = suites.judged(TASKS, path, MARGIN)
        if judged.reason is not None:
            break
    assert (judged.verdict, judged.reason) == ("better", "claim")
    assert suites.repeated_p_value(TASKS, path) <= looks.LEVEL
    assert suites.repeated_p_value(TASKS, path[:-1]) > looks.LEVEL
    low, high = suites.interval(TASKS, path) or (0.0, 0.0)
    assert 0 < low < 13.5 < high


def test_how_looks_hang_together_is_seen_in_the_answers() -> None:
    """A quiet task that is asked to its end beside a large noisy one, which has nearly all of the variance then."""
    tasks, discordant = [Task(250), Task(5000)], (0.02, 0.3)
    path = []
    for asked in (counts := suites.planned_looks(tasks)[:9]):
        pairs = [
            Pairs(n, round(share * n / 2), round(share * n / 2)) for n, share in zip(asked, discordant, strict=True)
        ]
        standings = zip(pairs, tasks, strict=True)
        path.append([suites.standing_of_pairs(each, each.asked // 2, task.total) for each, task in standings])
    variances = [standing.document_variance for standing in path[-1]]

    def variance(asked: tuple[int, ...]) -> float:
        return sum(50**2 * each / (n + 2) for each, n in zip(variances, asked, strict=True))

    shares = tuple(variance((250, 5000)) / variance(asked) for asked in counts)
    spending = looks.spending(suites.planned_spending(tasks)[: len(counts)], looks.LEVEL)
    reach = brownian.boundaries(shares, spending)[-1] * math.sqrt(variance(counts[-1]))
    assert suites.interval(tasks, path) == pytest.approx((-reach, reach))
