"""The exact group-sequential McNemar test, against enumeration in fractions: every path of the discordant pairs, every
level at which a boundary can change."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics import mcnemar
from evaluators.statistics.mcnemar import boundaries, repeated_p_value
from evaluators.statistics.paired import Pairs

Shares = tuple[Fraction, ...]
Nets = tuple[int, ...]  # gained minus lost pairs, at each look

# Discordant pairs by each look, and documents asked. The first is the counterexample of `repeated_p_value`.
SCHEDULES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((6, 12), (20, 32)),
    ((3, 6, 8), (32, 40, 50)),
    ((0, 4, 4, 10), (10, 20, 25, 40)),
    ((1, 2, 3, 9), (32, 40, 50, 62)),
    ((10,), (40,)),
]
ALL = pytest.mark.parametrize(("discordant", "asked"), SCHEDULES)


def shares_of(asked: tuple[int, ...]) -> Shares:
    return tuple(Fraction(n, asked[-1]) for n in asked)


def looks(discordant: tuple[int, ...], asked: tuple[int, ...], nets: Nets) -> list[Pairs]:
    return [
        Pairs(n, (pairs + net) // 2, (pairs - net) // 2) for pairs, n, net in zip(discordant, asked, nets, strict=False)
    ]


@cache
def paths(discordant: tuple[int, ...]) -> dict[Nets, Fraction]:
    """The probability of every sequence of nets at the looks, from every sequence of gains and losses."""
    found: dict[Nets, Fraction] = {}
    for signs in itertools.product((1, -1), repeat=discordant[-1]):
        nets = tuple(sum(signs[:pairs]) for pairs in discordant)
        found[nets] = found.get(nets, Fraction(0)) + Fraction(1, 2 ** discordant[-1])
    return found


@cache
def enumerated_boundaries(discordant: tuple[int, ...], shares: Shares, level: Fraction) -> tuple[int, ...]:
    """By the definition: the least gap such that all paths stopped so far are no likelier than what may be spent."""
    going_on, spent, found = paths(discordant), Fraction(0), []
    for k, share in enumerate(shares):
        for gap in itertools.count():
            stopped = sum((chance for nets, chance in going_on.items() if abs(nets[k]) >= gap), Fraction(0))
            if spent + stopped <= level * share:
                break
        found.append(gap)
        spent += stopped
        going_on = {nets: chance for nets, chance in going_on.items() if abs(nets[k]) < gap}
    return tuple(found)


@cache
def intervals(discordant: tuple[int, ...], shares: Shares) -> list[tuple[Fraction, tuple[int, ...]]]:
    """From the highest on, the lower end of every interval of levels in which no boundary can change, and the
    boundaries in it: what a path is stopped with is a multiple of one path's probability."""
    unit = Fraction(1, 2 ** discordant[-1])
    ends = sorted(
        {count * unit / share for share in shares for count in range(2 ** discordant[-1] + 1)} | {Fraction(1)}
    )
    ends = [end for end in ends if end <= 1]
    return [
        (low, enumerated_boundaries(discordant, shares, (low + high) / 2))
        for low, high in reversed([*itertools.pairwise(ends)])
    ]


def enumerated_p_value(discordant: tuple[int, ...], shares: Shares, nets: Nets) -> Fraction:
    """The least level such that it and every higher one has stopped by the last of these nets."""
    least = Fraction(1)
    for low, bounds in intervals(discordant, shares):
        if not any(abs(net) >= gap for net, gap in zip(nets, bounds, strict=False)):
            return least
        least = low
    return least


@ALL
@pytest.mark.parametrize("level", [Fraction(1, 1000), Fraction(1, 20), Fraction(1, 10), Fraction(1, 3), Fraction(1)])
def test_boundaries_are_those_of_every_path(
    discordant: tuple[int, ...], asked: tuple[int, ...], level: Fraction
) -> None:
    shares = shares_of(asked)
    assert boundaries(discordant, [float(share) for share in shares], float(level)) == enumerated_boundaries(
        discordant, shares, level
    )


@ALL
def test_repeated_p_values_are_those_of_every_path_and_level(
    discordant: tuple[int, ...], asked: tuple[int, ...]
) -> None:
    shares = shares_of(asked)
    for nets in paths(discordant):
        for k in range(1, len(nets) + 1):
            expected = enumerated_p_value(discordant, shares, nets[:k])
            assert repeated_p_value(looks(discordant, asked, nets[:k]), asked[-1]) == pytest.approx(float(expected))


@ALL
def test_a_p_value_up_to_x_has_a_chance_of_at_most_x(discordant: tuple[int, ...], asked: tuple[int, ...]) -> None:
    """By the last look, where it is least; for every x at once."""
    by_value = sorted(
        (repeated_p_value(looks(discordant, asked, nets), asked[-1]), chance)
        for nets, chance in paths(discordant).items()
    )
    total = Fraction(0)
    for value, chance in by_value:
        total += chance
        assert float(total) <= value * (1 + 1e-9)


def test_the_least_level_that_would_have_stopped_is_no_p_value() -> None:
    """The naive definition: the path of +4 and +8 is stopped at a level of 4.99 % and not at one of 5.01 %."""
    (discordant, asked), *_ = SCHEDULES
    shares = shares_of(asked)
    assert [float(share) for share in shares] == [0.625, 1]

    def is_stopped(nets: Nets, level: Fraction) -> bool:
        found = boundaries(discordant, [float(share) for share in shares], float(level))
        return any(abs(net) >= gap for net, gap in zip(nets, found, strict=True))

    below, above = Fraction("0.0499"), Fraction("0.0501")
    assert is_stopped((4, 8), below)
    assert not is_stopped((4, 8), above)

    def chance(probabilities: Iterator[Fraction]) -> float:
        return float(sum(probabilities))

    naive = chance(
        probability
        for nets, probability in paths(discordant).items()
        if any(
            any(abs(net) >= gap for net, gap in zip(nets, bounds, strict=True))
            for low, bounds in intervals(discordant, shares)
            if low < above
        )
    )
    ours = chance(
        probability
        for nets, probability in paths(discordant).items()
        if repeated_p_value(looks(discordant, asked, nets), asked[-1]) <= above
    )
    assert naive == pytest.approx(0.059, abs=5e-4)
    assert ours <= above
    assert repeated_p_value(looks(discordant, asked, (4, 8)), asked[-1]) == pytest.approx(0.0590820, abs=1e-7)


@st.composite
def looked_at(draw: st.DrawFn) -> tuple[list[Pairs], int]:
    """Looks at the answers of a task, and its number of documents."""
    added = draw(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30)), min_size=1, max_size=6)
    )
    path, asked, gained, lost = [], 0, 0, 0
    for more_gained, more_lost, more_alike in added:
        asked, gained, lost = asked + more_gained + more_lost + more_alike + 1, gained + more_gained, lost + more_lost
        path.append(Pairs(asked, gained, lost))
    return path, asked + draw(st.integers(0, 50))


@given(looked_at())
def test_p_values_never_rise(looked: tuple[list[Pairs], int]) -> None:
    path, total = looked
    values = [repeated_p_value(path[:k], total) for k in range(1, len(path) + 1)]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in itertools.pairwise(values))
    assert all(0 < value <= 1 for value in values)


@given(looked_at(), st.floats(0.001, 0.999))
def test_every_level_above_the_p_value_has_stopped(looked: tuple[list[Pairs], int], between: float) -> None:
    path, total = looked
    value = repeated_p_value(path, total)
    level = value + between * (1 - value)
    bounds = boundaries([look.discordant for look in path], [look.asked / total for look in path], level)
    assert value == 1 or any(abs(look.net) >= gap for look, gap in zip(path, bounds, strict=True))


@given(looked_at())
def test_better_and_worse_are_alike(looked: tuple[list[Pairs], int]) -> None:
    path, total = looked
    mirrored = [Pairs(look.asked, look.lost, look.gained) for look in path]
    assert repeated_p_value(path, total) == repeated_p_value(mirrored, total)


@pytest.mark.parametrize(("only_first", "only_second", "p_value"), [(1, 7, 18 / 256), (10, 20, 0.09873714670538905)])
def test_one_look_at_everything_is_the_exact_mcnemar_test(only_first: int, only_second: int, p_value: float) -> None:
    """Of published tables, as in dbt_project/data_tests/exact_mcnemar_of_published_tables.sql."""
    assert repeated_p_value([Pairs(100, only_second, only_first)], 100) == pytest.approx(p_value)


def test_answers_that_are_all_alike_show_nothing() -> None:
    path = [Pairs(32, 0, 0), Pairs(40, 0, 0)]
    assert repeated_p_value(path, 40) == 1
    assert boundaries([0, 0], [0.8, 1.0], 0.05) == (1, 1)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="5 gained and 6 lost of 10 documents"):
        Pairs(10, 5, 6)


def test_the_walk_keeps_small_probabilities() -> None:
    """Of 300 pairs that are all gained; a difference of sums would lose them."""
    assert repeated_p_value([Pairs(400, 300, 0)], 400) == pytest.approx(2.0**-299)
    assert mcnemar.boundaries([300], [1.0], 2.0**-299) == (299,)
