"""What a look shows. How often that is wrong is simulated in test_error_rates.py."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from evaluators.statistics import decided, looks, mcnemar
from evaluators.statistics.decided import Estimate, chance_of_a_claim, of_task, task_interval
from evaluators.statistics.paired import Pairs, difference, standard_error

MARGIN = 2.0


def shares(total: int) -> tuple[float, ...]:
    return tuple(asked / total for asked in looks.of_task(total))


def test_looks_are_planned_from_the_number_of_documents() -> None:
    assert looks.of_task(200) == (32, 40, 50, 62, 78, 98, 122, 152, 200)
    assert looks.of_task(32) == (32,)
    assert looks.of_task(7) == (7,)
    assert looks.of_task(34) == (34,), "a look at 32 would repeat the one at the end"
    assert looks.of_task(35) == (32, 35)
    assert looks.of_width(100) == (32, 64, 96, 100)
    assert looks.of_width(64) == (32, 64)
    assert looks.of_suite([40, 100, 20]) == ((32, 32, 20), (40, 45, 20), (40, 63, 20), (40, 88, 20), (40, 100, 20))


@pytest.mark.parametrize("total", [1, 7, 31, 32, 33, 34, 35, 200, 541, 1319, 12032])
def test_looks_rise_to_all_documents(total: int) -> None:
    for counts in (looks.of_task(total), looks.of_width(total), tuple(each[0] for each in looks.of_suite([total]))):
        assert counts[-1] == total
        assert all(later > earlier for earlier, later in itertools.pairwise(counts))


@given(st.integers(1, 32), st.integers(0, 32), st.integers(0, 32), st.sampled_from([0.5, 2.0, 10.0, 40.0]))
def test_a_task_with_one_look_is_judged_as_the_marts_do(asked: int, gained: int, lost: int, margin: float) -> None:
    assume(gained + lost <= asked)
    pairs = Pairs(asked, gained, lost)
    judged = of_task([pairs], asked, margin)
    centre, error = 100 * difference(pairs), 100 * standard_error(pairs)
    is_equivalent = abs(centre) + norm.isf(0.05) * error < margin
    p_value = binomtest(gained, gained + lost).pvalue if gained + lost else 1
    if is_equivalent:
        assert judged.verdict == "equivalent"
    elif p_value <= 0.05:
        assert judged.verdict == ("better" if gained > lost else "worse")
    else:
        assert judged.verdict == "no_difference_shown"
    assert judged.reason == ("all" if judged.verdict == "no_difference_shown" else "claim")
    assert task_interval([pairs], asked) == pytest.approx(
        (centre - norm.isf(0.025) * error, centre + norm.isf(0.025) * error)
    )


def test_the_interval_of_a_published_table() -> None:
    """1 gained and 7 lost of 21 (Bentur et al. 2009), as in Fagerland, Lydersen and Laake 2014, Recommended tests and
    confidence intervals for paired binomial proportions, Statistics in Medicine 33(16), 2850-2875."""
    low, high = task_interval([Pairs(21, 1, 7)], 21)
    assert (round(low / 100, 3), round(high / 100, 3)) == (-0.508, -0.013)


@pytest.mark.parametrize(
    ("path", "total", "verdict", "reason"),
    [
        pytest.param([(32, 20, 2)], 200, "better", "claim", id="a large gain, at once"),
        pytest.param([(32, 2, 20)], 200, "worse", "claim", id="a large loss, at once"),
        pytest.param([(32, 5, 2)], 200, None, None, id="too early to say"),
        pytest.param([(32, 5, 2), (40, 6, 3)], 200, None, None, id="still too early"),
        pytest.param([(98, 7, 7), (122, 9, 9)], 200, "no_difference_shown", "given_up", id="as many lost"),
        pytest.param([(12032, 40, 40)], 12032, "equivalent", "claim", id="hardly a difference in many documents"),
    ],
)
def test_what_a_look_shows(
    path: list[tuple[int, int, int]], total: int, verdict: str | None, reason: str | None
) -> None:
    judged = of_task([Pairs(*counts) for counts in path], total, MARGIN)
    assert (judged.verdict, judged.reason) == (verdict, reason)
    assert (judged.chance is None) == (reason in ("claim", "all"))


def test_equivalence_takes_precedence_over_a_difference_inside_the_margin() -> None:
    pairs = Pairs(12032, 160, 60)
    assert mcnemar.repeated_p_value([pairs], 12032) < 1e-6
    assert of_task([pairs], 12032, MARGIN).verdict == "equivalent"
    assert of_task([pairs], 12032, 0.5).verdict == "better"


def test_a_level_that_has_stopped_below_its_p_value_makes_no_claim() -> None:
    """The boundary of 5 % may be reached while a higher level's is not; the p value that is landed would then be above
    5 %. The counterexample of test_mcnemar.py, at a level where that happens."""
    total = 32
    path = [Pairs(20, 5, 1), Pairs(32, 10, 2)]
    level = 0.0499
    bounds = mcnemar.boundaries([6, 12], [0.625, 1], level)
    assert any(abs(pairs.net) >= bound for pairs, bound in zip(path, bounds, strict=True))
    assert mcnemar.repeated_p_value(path, total) > level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "LEVEL", level)
        assert of_task(path, total, 0.1).verdict == "no_difference_shown"


@given(st.floats(0, 20), st.floats(0, 20), st.floats(0.5, 5), st.floats(0.1, 0.99), st.floats(0, 20))
def test_more_is_expected_of_a_larger_difference_and_of_a_larger_margin(
    difference: float, further: float, error: float, share: float, margin: float
) -> None:
    planned, final_error = shares(541), error * share
    near, far = (Estimate(d, error, final_error) for d in (difference, difference + further))
    found = chance_of_a_claim(near, planned, 0.0)
    assert 0 <= found <= chance_of_a_claim(far, planned, 0.0) + 1e-9 <= 1 + 1e-9
    assert found <= chance_of_a_claim(near, planned, margin) + 1e-9 <= 1 + 1e-9
    assert found == pytest.approx(chance_of_a_claim(Estimate(-difference, error, final_error), planned, 0.0))


def test_the_chance_of_a_claim_is_the_share_of_futures_with_one() -> None:
    """Drawn from the same predictive distribution: the difference of all documents, judged at the end."""
    estimate, planned = Estimate(1.5, 1.6, 0.8), shares(541)
    bounds = [decided._bounds(planned, planned, level)[-1] for level in (looks.LEVEL, looks.EQUIVALENCE_LEVEL)]
    deviation = (1.6**2 - 0.8**2) ** 0.5
    steps = [(k + 0.5) / 20_000 for k in range(20_000)]
    futures = norm.ppf(steps, loc=1.5, scale=deviation)
    claims = (abs(futures) >= decided._ON_THE_WAY * bounds[0] * 0.8) | (abs(futures) + bounds[1] * 0.8 < 3.0)
    assert chance_of_a_claim(estimate, planned, 3.0) == pytest.approx(claims.mean(), abs=1e-4)
