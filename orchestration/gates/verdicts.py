"""What the published figures of a gate show: a verdict on each quantity, and how much more would decide it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from evaluators.statistics import gates
from evaluators.statistics.decided import Estimate, Verdict
from evaluators.statistics.gates import EnergyRatio, EnergyVerdict, Outcome
from orchestration.gates import GateUndecided
from orchestration.gates.asked import WHOLE_SUITE, Asked
from orchestration.home import Home
from orchestration.warehouse.published import connect

_Z = float(ndtri(0.975))  # the normal quantile of the marts' 95 % intervals
_QUERY = "select * from marts.mart_gates where gate_id = ? order by task"


@dataclass(frozen=True, slots=True)
class Figures:
    """What the mart has for a question; names as there."""

    task: str
    comparability_key: str
    documents_asked: int
    documents_total: int
    stop_reason: str | None
    score_delta: float | None
    score_delta_low: float | None
    score_delta_high: float | None
    score_test: str | None
    score_p_value: float | None
    score_equivalent_within: float | None
    score_reason: str | None
    joules_per_correct_ratio: float | None
    joules_per_correct_ratio_low: float | None
    joules_per_correct_ratio_high: float | None
    joules_per_correct_ratio_documents_low: float | None
    joules_per_correct_ratio_documents_high: float | None
    joules_per_correct_ratio_estimate: float | None
    energy_ratio_estimate: float | None
    energy_repetitions: int | None
    is_until_precise: bool | None
    energy_reason: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A question's verdicts. A verdict is None where the figures allow none, or where the energy is not judged."""

    figures: Figures
    score_outcome: Outcome
    score_verdict: Verdict | None
    energy_outcome: Outcome | None
    energy_verdict: EnergyVerdict | None
    further_documents: int | None = None
    further_repetitions: int | None = None

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return (self.score_outcome,) if self.energy_outcome is None else (self.score_outcome, self.energy_outcome)


@dataclass(frozen=True, slots=True)
class Published:
    """A gate in the published mart."""

    figures: Sequence[Figures]
    gates_before: int
    tuning_warning: str | None


def published(home: Home, gate_id: str, asked: Asked) -> Published:
    """Raises GateUndecided where the marts do not compare the two models."""
    with connect(home) as connection:
        result = connection.execute(_QUERY, [gate_id])
        names = [column[0] for column in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    if len(rows) != len(asked.questions):
        raise GateUndecided(f"the gate {gate_id} is not in the published marts; `evalwatt status` says what failed")
    if missing := [row["task"] or asked.suite for row in rows if row["comparability_key"] is None]:
        raise GateUndecided(
            f"{asked.candidate} and {asked.reference} are not compared on {', '.join(missing)}: they were evaluated in "
            f"different settings; `evalwatt evaluate {asked.reference} --suite {asked.suite} --force` evaluates the "
            "reference again, here and now"
        )
    fields = [field.name for field in dataclasses.fields(Figures)]
    figures = [Figures(**{name: row[name] for name in fields}) for row in rows]
    return Published(figures, rows[0]["gates_before"], rows[0]["tuning_warning"])


def judge(figures: Sequence[Figures], asked: Asked) -> list[Judged]:
    """The verdicts on all questions of a gate."""
    return [_judged(each, asked, len(figures)) for each in figures]


def overall(judged: Sequence[Judged]) -> Outcome:
    return gates.of_all(*(outcome for each in judged for outcome in each.outcomes))


def _judged(figures: Figures, asked: Asked, questions: int) -> Judged:
    score, further_documents = _score(figures, asked.score_margin, questions)
    energy, further_repetitions = None, None
    if asked.energy_margin is not None:
        energy, further_repetitions = _energy(figures, asked.energy_margin, questions)
    return Judged(
        figures=figures,
        score_outcome=gates.of_score(score),
        score_verdict=score,
        energy_outcome=None if asked.energy_margin is None else gates.of_energy(energy or "cannot_be_told"),
        energy_verdict=energy,
        further_documents=further_documents,
        further_repetitions=further_repetitions,
    )


def _score(figures: Figures, margin: float, questions: int) -> tuple[Verdict | None, int | None]:
    """The verdict, and how many more documents would decide what is open."""
    delta, low, high = figures.score_delta, figures.score_delta_low, figures.score_delta_high
    if delta is None or low is None or high is None or figures.score_p_value is None:
        return None, None
    estimate = Estimate((low + high) / 2, (high - low) / 2 / _Z, (high - low) / 2 / _Z)
    if figures.stop_reason is None:
        verdict = gates.score_verdict(estimate, figures.score_p_value, margin, questions)
    else:  # its p value and its interval hold although the answers were looked at again and again
        shown = figures.score_equivalent_within
        is_equivalent = (shown is not None and shown <= margin) or max(-low, high) < margin
        verdict = "equivalent" if is_equivalent else gates.difference_shown(delta, figures.score_p_value, questions)
    if verdict != "no_difference_shown":
        return verdict, None
    if figures.task == WHOLE_SUITE:
        return verdict, math.ceil(gates.further_information(estimate, margin) * figures.documents_asked)
    return verdict, gates.further_documents(estimate, figures.documents_asked, margin)


def _energy(figures: Figures, margin: float, questions: int) -> tuple[EnergyVerdict | None, int | None]:
    """The verdict, and how many more repetitions would decide what is open."""
    ratio, repetitions = figures.joules_per_correct_ratio, figures.energy_repetitions
    high, documents_high = figures.joules_per_correct_ratio_high, figures.joules_per_correct_ratio_documents_high
    if ratio is None or repetitions is None or documents_high is None:
        return None, None
    if high is None:
        return None, gates.FEWEST_REPETITIONS - repetitions
    quantile = gates.student_quantile(repetitions, 0.99 if figures.is_until_precise else 0.975)
    documents_variance = (math.log(documents_high / ratio) / _Z) ** 2
    variance = (math.log(high / ratio) / quantile) ** 2
    energy = EnergyRatio(
        ratio,
        max(0.0, variance - documents_variance),
        documents_variance,
        repetitions,
        is_until_precise=bool(figures.is_until_precise),
    )
    verdict = gates.energy_verdict(energy, margin, questions)
    if verdict == "cannot_be_told":
        return None, None
    further = gates.further_repetitions(energy, margin, questions) if verdict == "no_difference_shown" else None
    return verdict, further
