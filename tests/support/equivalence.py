"""The contract between an engine and lm-eval's `hf`, in float32: see `allowed_difference`."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.engines.compatibility import allowed_difference


def assert_near(found: Sequence[float], expected: Sequence[float], times: Sequence[float] | None = None) -> None:
    """Sums of log-likelihoods are apart by no more than allowed; `times` where each is a sum of several of them."""
    answers = zip(found, expected, times or [1] * len(expected), strict=True)
    apart = [
        (one, other) for one, other, number in answers if not abs(one - other) <= number * allowed_difference(other)
    ]
    assert not apart, f"further apart than allowed: {apart}"


def assert_equal(found: Sequence[tuple[float, bool]], expected: Sequence[tuple[float, bool]]) -> None:
    """Log-likelihoods are as near as allowed, and the greedy flags the same."""
    assert_near([answer[0] for answer in found], [answer[0] for answer in expected])
    assert [answer[1] for answer in found] == [answer[1] for answer in expected]
