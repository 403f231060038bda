"""Forecasts: at most, then within a factor of two, and in few lines."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from evaluators.engines.memory import MOST_ROWS
from evaluators.process.expectation import Expected
from evaluators.process.forecast import Answers, Forecast

RANDOM = random.Random(18)
DOCUMENTS = 200
LENGTHS = {
    "equal": [48] * DOCUMENTS,
    "even": [RANDOM.randint(1, 96) for _ in range(DOCUMENTS)],
    "normal": [min(max(round(RANDOM.gauss(120, 40)), 1), 256) for _ in range(DOCUMENTS)],
    "exponential": [1 + round(RANDOM.expovariate(1 / 100)) for _ in range(DOCUMENTS)],
    "few long": [RANDOM.choice((2, 2, 2, 3, 10)) for _ in range(DOCUMENTS)],
    "half long": [RANDOM.choice((2, 48)) for _ in range(DOCUMENTS)],
    "as long as allowed": [RANDOM.choice((10, 256, 256, 256)) for _ in range(DOCUMENTS)],
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def generated(lengths: list[int]) -> Iterator[float]:
    """When answers of so many tokens end that are generated side by side, as `decoding` does: who has ended makes room
    for the next, and a step takes the longer, the more there are."""
    waiting, live, at_s = list(reversed(lengths)), list[int](), 0.0
    while waiting or live:
        while waiting and len(live) < MOST_ROWS:
            live.append(waiting.pop())
        at_s += 0.02 + 0.002 * len(live)
        live = [left - 1 for left in live]
        yield from [at_s] * live.count(0)
        live = [left for left in live if left]


@pytest.mark.parametrize("kind", LENGTHS)
def test_the_pace_of_the_first_answers_is_right_within_a_factor_of_two(kind: str) -> None:
    ends = list(generated(LENGTHS[kind]))
    answers, estimates = Answers(DOCUMENTS), []
    for before, at_s in zip([0.0, *ends], ends, strict=False):
        if at_s != before and (total_s := answers.total_s()) is not None:
            estimates.append(total_s)
        answers.add(at_s)
    assert estimates
    assert all(ends[-1] / 2 < total_s < ends[-1] * 2 for total_s in estimates), estimates[:3]


@pytest.mark.parametrize("at_once", [1, 16])
def test_answers_in_batches_are_as_quick_as_they_look(at_once: int) -> None:
    answers = Answers(800)
    for number in range(160):
        answers.add((number // at_once + 1) * at_once * 0.5)
    assert answers.total_s() == pytest.approx(400)


def test_nothing_is_said_of_answers_that_are_too_few() -> None:
    answers = Answers(400)
    for number in range(40):
        assert answers.total_s() is None
        answers.add(number + 1.0)
    assert answers.total_s() is None, "32 are written side by side, and the shortest end first"


def announced(expected: dict[str, Expected], due: list[str]) -> str:
    said: list[str] = []
    Forecast(said.append).announce("m on s", expected, due)
    (line,) = said
    return line


def test_a_run_is_announced_in_one_line_that_names_the_long_tasks() -> None:
    expected = {"long": Expected(200, at_most=True), "short": Expected(2, at_most=True)}
    assert announced(expected, ["long", "short"]) == "m on s: 2 tasks, at most about 3 min 22 s (long 3 min 20 s)"
    thrice = announced(expected, ["long", "short"] * 3)
    assert thrice == "m on s: 2 tasks, 3 repetitions, at most about 10 min 06 s (long 3 min 20 s)"
    assert announced({"a": Expected(20, at_most=False)}, ["a"]) == "m on s: 1 task, about 20 s"
    unknown = {"a": Expected(20, at_most=False), "b": Expected(None, at_most=True)}
    assert announced(unknown, ["a", "b"]) == "m on s: 2 tasks, at most about 20 s (b unknown)"


def evaluated(forecast: Forecast, clock: Clock, requests: int, each_s: float) -> list[float | None]:
    forecast.start("task", requests)
    clock.now += 50  # requests are built
    forecast.ask()
    left = []
    for _ in range(requests):
        clock.now += each_s
        left.append(forecast.tick())
    forecast.ended()
    return left


def test_an_estimate_is_said_once_where_it_is_far_from_what_was_said() -> None:
    said, clock = list[str](), Clock()
    forecast = Forecast(said.append, clock)
    forecast.announce("m on s", {"task": Expected(1000, at_most=True)}, ["task", "task"])
    left = evaluated(forecast, clock, 400, 0.5)
    assert said[1:] == ["task: about 3 min 20 s, judging by the first 12% of its answers"]
    assert left[:48] == [None] * 48
    assert left[200] == pytest.approx(100, abs=1)
    assert forecast.left_s(["task"]) == pytest.approx(250)
    assert forecast.left_s(["task", "other"]) is None
    left = evaluated(forecast, clock, 400, 0.5)
    assert len(said) == 2
    assert left[0] == pytest.approx(199.5), "a repetition takes as long as the first"


@pytest.mark.parametrize(("expected_s", "each_s"), [(300, 0.5), (120, 0.5), (1000, 0.02)])
def test_no_line_where_it_is_about_right_or_nearly_done(expected_s: float, each_s: float) -> None:
    said, clock = list[str](), Clock()
    forecast = Forecast(said.append, clock)
    forecast.announce("m on s", {"task": Expected(expected_s, at_most=True)}, ["task"])
    evaluated(forecast, clock, 400, each_s)
    assert len(said) == 1


def test_who_becomes_slower_says_so_again() -> None:
    said, clock = list[str](), Clock()
    forecast = Forecast(said.append, clock)
    forecast.announce("m on s", {"task": Expected(1000, at_most=True)}, ["task"])
    forecast.start("task", 400)
    for number in range(400):
        clock.now += 0.2 if number < 100 else 2
        forecast.tick()
    assert [line.partition(",")[0] for line in said[1:]] == [
        "task: about 1 min 20 s",
        "task: about 2 min 43 s",
        "task: about 5 min 26 s",
    ]
