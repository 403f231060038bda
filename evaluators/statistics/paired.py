"""A difference of paired answers and its standard error, as `paired_difference` and `paired_difference_variance` of
dbt_project/macros/intervals.sql have them; tests/orchestration/test_rules_in_both_languages.py holds both equal."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pairs:
    """What two models answered to the documents that were asked.

    `gained` documents only the second model answered correctly, `lost` ones only the first, the reference.
    """

    asked: int
    gained: int
    lost: int

    def __post_init__(self) -> None:
        if min(self.gained, self.lost) < 0 or self.discordant > self.asked:
            raise ValueError(f"{self.gained} gained and {self.lost} lost of {self.asked} documents")

    @property
    def discordant(self) -> int:
        return self.gained + self.lost

    @property
    def net(self) -> int:
        return self.gained - self.lost


def difference(pairs: Pairs) -> float:
    """Middle of the interval of the difference of shares of correct answers.

    Bonett and Price 2012, Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data, J. Educ. Behav. Stat. 37(4), 479-488: one discordant pair of each kind is added.
    """
    return pairs.net / (pairs.asked + 2)


def document_variance(pairs: Pairs) -> float:
    """Variance of one document's difference, adjusted as above."""
    return (pairs.discordant + 2) / (pairs.asked + 2) - difference(pairs) ** 2


def expected_document_variance(pairs: Pairs, total: int) -> float:
    """The same once all `total` documents are asked, if as large a share of them is discordant: the pairs that are
    added weigh less then. Where all answers agree, the error falls with the number of documents, not with its root."""
    times = total / pairs.asked
    return (pairs.discordant * times + 2) / (total + 2) - (pairs.net * times / (total + 2)) ** 2


def standard_error(pairs: Pairs) -> float:
    """Standard error of the difference, adjusted as above."""
    return math.sqrt(document_variance(pairs) / (pairs.asked + 2))
