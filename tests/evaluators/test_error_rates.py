"""How often the rules that stop an evaluation are wrong, drawn with the rules themselves from fixed seeds.

A claim of a difference is wrong where there is none or the opposite, one of equivalence where the difference is not
inside the margin. All of it holds of quality: each document is drawn from the population, and gained or lost with
given probabilities.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from evaluators.statistics import decided, expected, gates, looks, suites
from evaluators.statistics.decided import Judgement, Verdict
from evaluators.statistics.mcnemar import boundaries, repeated_p_value
from evaluators.statistics.paired import Pairs

TRIALS = 2000  # of models of equal quality; the Monte Carlo error of a share of 5 % is 0.49 points
FEWER = 1000  # of others; 0.69 points
MARGIN = 2.0  # points
SIZES = (200, 541, 1319)
DISCORDANT = (0.05, 0.15, 0.30)
CELLS = [pytest.param(total, share, id=f"{total}, {share:.0%}") for total in SIZES for share in DISCORDANT]


@dataclass
class Tally:
    """What became of the trials of one cell."""

    truth: float  # difference in points
    verdicts: Counter[Verdict | None] = field(default_factory=Counter)
    covered: int = 0  # intervals at the stop that hold the truth
    asked: float = 0.0  # documents, in shares of all, summed up

    @property
    def trials(self) -> int:
        return self.verdicts.total()

    @property
    def wrong(self) -> float:
        """Share of the trials with a wrong claim."""
        claims: dict[Verdict, bool] = {
            "better": self.truth <= 0,
            "worse": self.truth >= 0,
            "equivalent": abs(self.truth) >= MARGIN,
        }
        return sum(self.verdicts[claim] for claim, is_wrong in claims.items() if is_wrong) / self.trials

    def count(self, judged: Judgement, interval: tuple[float, float], asked: float) -> None:
        low, high = interval
        self.verdicts[judged.verdict] += 1
        self.covered += low <= self.truth <= high
        self.asked += asked


def error_of(share: float, trials: int) -> float:
    """Monte Carlo standard error of a share."""
    return math.sqrt(share * (1 - share) / trials)


def paths(total: int, discordant: float, difference: float, trials: int, seed: int) -> Iterator[list[Pairs]]:
    """Answers at all looks. `difference`: in points."""
    counts = looks.of_task(total)
    discordant = max(discordant, difference / 100 + 0.03)
    gained, lost = (discordant + difference / 100) / 2, (discordant - difference / 100) / 2
    steps = np.random.default_rng([seed, total, round(1000 * discordant), round(10 * difference)])
    chances = [gained, lost, 1 - gained - lost]
    drawn = np.stack([steps.multinomial(n, chances, trials) for n in np.diff((0, *counts))], axis=1).cumsum(axis=1)
    for trial in drawn.tolist():
        yield [Pairs(asked, up, down) for asked, (up, down, _) in zip(counts, trial, strict=True)]


def stopped(total: int, discordant: float, difference: float, trials: int) -> Tally:
    tally = Tally(difference)
    for path in paths(total, discordant, difference, trials, seed=1):
        for k in range(1, len(path) + 1):
            judged = decided.of_task(path[:k], total, MARGIN)
            if judged.reason is not None:
                tally.count(judged, decided.task_interval(path[:k], total), path[k - 1].asked / total)
                break
    return tally


def failed(tally: Tally) -> float:
    """Share of the trials in which a gate on the score alone fails."""
    return sum(n for verdict, n in tally.verdicts.items() if gates.of_score(verdict) == "FAIL") / tally.trials


@cache
def fixed_p_value(gained: int, lost: int) -> float:
    """Today's test of a question that is looked at once."""
    return repeated_p_value([Pairs(gained + lost, gained, lost)], gained + lost) if gained + lost else 1.0


def peeked(total: int, discordant: float) -> float:
    """How often today's test, looked at again and again, shows a difference where there is none: the negative control,
    with the same draws."""
    return float(
        np.mean(
            [
                any(fixed_p_value(pairs.gained, pairs.lost) <= 0.05 for pairs in path)
                for path in paths(total, discordant, 0.0, TRIALS, seed=1)
            ]
        )
    )


def assert_claims_are_seldom_wrong(tally: Tally) -> None:
    assert tally.wrong - 2 * error_of(0.05, tally.trials) <= 0.05
    assert tally.covered / tally.trials + 2 * error_of(0.95, tally.trials) >= 0.95, "the repeated interval at the stop"
    if tally.truth == 0:
        assert failed(tally) + 2 * error_of(0.05, tally.trials) <= 0.05, "a gate fails models of equal quality"


@pytest.mark.slow
@pytest.mark.parametrize(("total", "discordant"), CELLS)
def test_claims_about_tasks_of_equal_quality(total: int, discordant: float) -> None:
    tally = stopped(total, discordant, 0.0, TRIALS)
    assert_claims_are_seldom_wrong(tally)
    assert peeked(total, discordant) > tally.wrong


@pytest.mark.slow
def test_peeking_is_wrong_too_often() -> None:
    share = max(peeked(total, discordant) for total in SIZES for discordant in DISCORDANT)
    assert share - 2 * error_of(share, TRIALS) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("difference", [MARGIN, 10.0])
@pytest.mark.parametrize(("total", "discordant"), CELLS)
def test_claims_about_tasks_with_a_difference(total: int, discordant: float, difference: float) -> None:
    """As large as the margin, where equivalence is easiest to claim wrongly, and larger."""
    assert_claims_are_seldom_wrong(stopped(total, discordant, difference, FEWER))


@pytest.mark.slow
@pytest.mark.parametrize(("total", "asked"), expected.DRAWN.items())
def test_what_is_asked_until_it_is_decided(total: int, asked: tuple[float, ...]) -> None:
    """The shares that plans expect: most where it is undecided."""
    found = [stopped(total, 0.15, difference, 500) for difference in expected.DIFFERENCES]  # error about 1.3 points
    assert [tally.asked / tally.trials for tally in found] == pytest.approx(asked, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("total", SIZES)
def test_few_that_are_given_up_would_have_brought_a_claim(total: int) -> None:
    """Over differences from none to 10 points, evenly: what going on after all would show."""
    given_up = claims = 0
    for difference in np.linspace(0, 10, 21):
        for path in paths(total, 0.15, float(difference), 40, seed=3):
            given_up_already = False
            for k in range(1, len(path) + 1):
                judged = decided.of_task(path[:k], total, MARGIN)
                if judged.reason == "given_up" and not given_up_already:
                    given_up_already = True
                    given_up += 1
                if judged.reason == "claim":
                    claims += given_up_already
                    break
    assert given_up > 100
    assert claims / given_up < decided.GIVEN_UP_BELOW


LEVELS = (0.001, 0.01, 0.05, 0.10, 0.20)


@pytest.mark.slow
@pytest.mark.parametrize(("total", "discordant"), CELLS)
def test_a_repeated_p_value_up_to_x_has_a_chance_of_at_most_x(total: int, discordant: float) -> None:
    """At the last look, where it is least. Only a path that a test at the highest level stops can have such a value."""
    low = Counter[float]()
    for path in paths(total, discordant, 0.0, TRIALS, seed=2):
        shares = [pairs.asked / total for pairs in path]
        bounds = boundaries([pairs.discordant for pairs in path], shares, LEVELS[-1])
        if any(abs(pairs.net) >= bound for pairs, bound in zip(path, bounds, strict=True)):
            value = repeated_p_value(path, total)
            low.update(level for level in LEVELS if value <= level)
    for level in LEVELS:
        assert low[level] / TRIALS - 2 * error_of(level, TRIALS) <= level


@dataclass(frozen=True)
class Member:
    """A task of a suite, and how the two models answer it."""

    total: int
    chance: float
    discordant: float


# Tasks of unequal size, discordant from 2 to 30 %.
LEADERBOARD = (
    Member(5761, 0.3, 0.02),
    Member(1192, 0.25, 0.3),
    Member(541, 0.0, 0.1),
    Member(1324, 0.0, 0.05),
    Member(756, 0.4, 0.2),
    Member(12032, 0.1, 0.15),
)
SMALL = (
    Member(200, 0.5, 0.02),
    Member(145, 0.25, 0.3),
    Member(100, 0.0, 0.1),
    Member(60, 0.0, 0.05),
    Member(250, 0.4, 0.2),
    Member(400, 0.1, 0.15),
)
ONE_UNLIKE_OTHERS = (*(Member(250, 0.25, 0.04),) * 24, Member(1319, 0.0, 0.30))
QUIET_AND_NOISY = (Member(250, 0.0, 0.02), Member(5000, 0.0, 0.30))
CORRECT = 0.65  # share that the first model answers correctly


def differences(members: Sequence[Member], pattern: str) -> list[float]:
    """Differences of the shares of correct answers, which make the suite's none (`none`, `cancel`) or the margin."""
    points = [100 / len(members) / (1 - each.chance) for each in members]  # of the suite, per unit of each task's share
    if pattern == "none":
        return [0.0] * len(members)
    if pattern == "cancel":
        found = [0.5 * each.discordant * (-1) ** k for k, each in enumerate(members[:-1])]
        rest = sum(difference * each for difference, each in zip(found, points, strict=False))
        return [*found, -rest / points[-1]]
    spread = sum(each.discordant * point for each, point in zip(members, points, strict=True))
    return [MARGIN * each.discordant / spread for each in members]


def stopped_suite(members: Sequence[Member], pattern: str, trials: int) -> Tally:
    tasks = [suites.Task(each.total, chance=each.chance) for each in members]
    counts = suites.planned_looks(tasks)
    rng = np.random.default_rng(5)
    answers = []  # of each task, by trial and look: gained, lost, and right answers of both models
    for number, (each, difference) in enumerate(zip(members, differences(members, pattern), strict=True)):
        gained, lost = (each.discordant + difference) / 2, (each.discordant - difference) / 2
        chances = [gained, lost, CORRECT - lost, 1 - CORRECT - gained]
        steps = np.diff((0, *(count[number] for count in counts)))
        drawn = np.stack([rng.multinomial(step, chances, trials) for step in steps], axis=1)
        answers.append(drawn.cumsum(axis=1).tolist())
    tally = Tally(MARGIN if pattern == "margin" else 0.0)
    for trial in range(trials):
        path: list[list[suites.Standing]] = []
        for look, count in enumerate(counts):
            standings = []
            for asked, answered, task in zip(count, answers, tasks, strict=True):
                gained, lost, both, _ = answered[trial][look]
                standings.append(suites.standing_of_pairs(Pairs(asked, gained, lost), both + lost, task.total))
            path.append(standings)
            judged = suites.judged(tasks, path, MARGIN)
            if judged.reason is not None:
                interval = suites.interval(tasks, path)
                assert interval is not None
                tally.count(judged, interval, sum(count) / sum(counts[-1]))
                break
    return tally


SUITES = [
    pytest.param(LEADERBOARD, id="leaderboard"),
    pytest.param(SMALL, id="small tasks"),
    pytest.param(ONE_UNLIKE_OTHERS, id="one unlike others"),
    pytest.param(QUIET_AND_NOISY, id="quiet and noisy"),
]


@pytest.mark.slow
@pytest.mark.parametrize("members", SUITES)
def test_claims_about_suites_of_equal_quality(members: Sequence[Member]) -> None:
    assert_claims_are_seldom_wrong(stopped_suite(members, "none", TRIALS))


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["cancel", "margin"])
@pytest.mark.parametrize("members", SUITES)
def test_claims_about_suites_whose_tasks_differ(members: Sequence[Member], pattern: str) -> None:
    """Whose differences cancel one another, or add up to the margin."""
    assert_claims_are_seldom_wrong(stopped_suite(members, pattern, FEWER))
