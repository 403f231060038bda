"""A gate's answer: for people, for programs, and for a pull request."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evaluators.statistics.gates import Outcome
from evaluators.wording import counted
from orchestration.gates.asked import Asked
from orchestration.gates.verdicts import Figures, Judged, Published

Quantity = Literal["score", "energy per correct answer"]


@dataclass(frozen=True, slots=True)
class Line:
    """What is said of one quantity of one question."""

    task: str
    quantity: Quantity
    figure: str
    interval: str  # or why there is none
    margin: str
    verdict: str
    outcome: Outcome
    remedy: str | None  # what would decide it

    @property
    def name(self) -> str:
        return f"{self.task}: {self.quantity}" if self.task else self.quantity


def lines(asked: Asked, judged: Sequence[Judged]) -> list[Line]:
    """A line per quantity of each question."""
    return [line for each in judged for line in _of_question(asked, each)]


def title(asked: Asked) -> str:
    reference = f"its revision before ({asked.compare_with})" if asked.names_an_earlier_revision else asked.reference
    return f"{asked.candidate} against {reference} on {asked.suite}"


def text(asked: Asked, published: Published, judged: Sequence[Judged], outcome: Outcome) -> str:
    """The figures, the verdict, and what would decide it, a line each."""
    found = lines(asked, judged)
    width = max(len(line.name) for line in found)
    said = [title(asked)]
    for line in found:
        figures = f"{line.figure} (95 % interval: {line.interval}), margin {line.margin}"
        said.append(f"  {line.name:<{width}}  {figures}: {line.verdict}: {line.outcome}")
    said.append(_verdict(asked, outcome))
    return "\n".join([*said, *_remarks(published, judged, found)])


def markdown(asked: Asked, published: Published, judged: Sequence[Judged], outcome: Outcome) -> str:
    """The same as a section for a pull request."""
    found = lines(asked, judged)
    said = [f"### {_verdict(asked, outcome)}", "", f"{title(asked)}.", ""]
    said += ["| | | 95 % interval | margin | verdict | |", "|---|---|---|---|---|---|"]
    for line in found:
        cells = (line.name, line.figure, line.interval, line.margin, line.verdict, f"**{line.outcome}**")
        said.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    remarks = [f"- {remark}" for remark in _remarks(published, judged, found)]
    return "\n".join([*said, *(["", *remarks] if remarks else []), ""])


def facts(
    gate_id: str, asked: Asked, published: Published, judged: Sequence[Judged], outcome: Outcome
) -> dict[str, Any]:
    """The same for programs; names as in `mart_gates`."""
    questions = []
    for each in judged:
        values = dataclasses.asdict(each)
        questions.append({"task": each.figures.task, **values.pop("figures"), **values})
    return {
        "gate_id": gate_id,
        "outcome": outcome,
        "candidate": asked.candidate,
        "reference": asked.reference,
        "compare_with": asked.compare_with,
        "suite": asked.suite,
        "score_margin_points": asked.score_margin,
        "energy_margin": asked.energy_margin,
        "questions": questions,
        "remedies": [f"{line.name}: {line.remedy}" for line in lines(asked, judged) if line.remedy is not None],
        "gates_before": published.gates_before,
        "tuning_warning": published.tuning_warning,
    }


def _of_question(asked: Asked, judged: Judged) -> Iterator[Line]:
    figures = judged.figures
    yield Line(
        task=figures.task,
        quantity="score",
        figure=_points(figures.score_delta),
        interval=_interval(figures.score_delta_low, figures.score_delta_high, "+.1f", figures.score_reason),
        margin=f"{asked.score_margin:g} point{'' if asked.score_margin == 1 else 's'}",
        verdict=_in_words(judged.score_verdict),
        outcome=judged.score_outcome,
        remedy=_score_remedy(asked, judged),
    )
    if asked.energy_margin is not None and judged.energy_outcome is not None:
        low, high = figures.joules_per_correct_ratio_low, figures.joules_per_correct_ratio_high
        yield Line(
            task=figures.task,
            quantity="energy per correct answer",
            figure=_ratio(figures),
            interval=_interval(low, high, ".3g", figures.energy_reason),
            margin=f"{100 * (asked.energy_margin - 1):.3g} %",
            verdict=_in_words(judged.energy_verdict),
            outcome=judged.energy_outcome,
            remedy=_energy_remedy(asked, judged),
        )


def _score_remedy(asked: Asked, judged: Judged) -> str | None:
    figures, further = judged.figures, judged.further_documents
    if judged.score_outcome != "INCONCLUSIVE":
        return None
    left = figures.documents_total - figures.documents_asked
    rest = f"`evalwatt evaluate {asked.candidate} --suite {asked.suite} --complete` asks the {left:,} that are left"
    if further is None:
        return f"nothing can be said of it: {figures.score_reason}" + (f"; {rest}" if left else "")
    if further > left:
        rest = "more than there are"
    elif figures.stop_reason == "given_up":
        rest += ", which would decide it with a chance below 10 %"
    return f"about {further:,} more documents would decide it, if the difference stays as it is; {rest}"


def _energy_remedy(asked: Asked, judged: Judged) -> str | None:
    figures, further = judged.figures, judged.further_repetitions
    if judged.energy_outcome != "INCONCLUSIVE":
        return None
    if figures.documents_asked < figures.documents_total:
        complete = f"`evalwatt evaluate {asked.candidate} --suite {asked.suite} --complete` asks the rest"
        return f"a part decides no energy; {complete}, and --energy off judges the score alone"
    if further is not None:
        repetitions = (figures.energy_repetitions or 0) + further
        stays = "decide it, if ratio and spread stay as they are" if judged.energy_verdict else "tell how sure it is"
        return f"{counted(further, 'more repetition')} of both would {stays}: repetitions: {repetitions} in the suite"
    if judged.energy_verdict is None:
        return f"nothing can be said of it: {figures.energy_reason}; --energy off judges the score alone"
    return (
        "no number of repetitions up to 31 would decide it, because too few answers are correct; more documents would"
    )


def _verdict(asked: Asked, outcome: Outcome) -> str:
    passes = outcome == "INCONCLUSIVE" and asked.passes_inconclusive
    return f"{outcome}, and passes as --inconclusive says" if passes else outcome


def _remarks(published: Published, judged: Sequence[Judged], found: Sequence[Line]) -> list[str]:
    """What would decide it, and what to keep in mind."""
    remarks = [f"{line.name}: {line.remedy}" for line in found if line.remedy is not None]
    if len(judged) > 1:
        remarks.append(f"each of {len(judged)} tasks fails at 5 %/{len(judged)}, so that all together err in 5 %")
    return remarks + ([] if published.tuning_warning is None else [published.tuning_warning])


def _points(delta: float | None) -> str:
    return "not known" if delta is None else f"{delta:+.1f} points"


def _ratio(figures: Figures) -> str:
    if figures.joules_per_correct_ratio is not None:
        return f"{figures.joules_per_correct_ratio:.3g} times"
    if figures.joules_per_correct_ratio_estimate is not None:
        return f"about {figures.joules_per_correct_ratio_estimate:.3g} times, estimated from a part"
    if figures.energy_ratio_estimate is not None:
        return f"not known; energy about {figures.energy_ratio_estimate:.3g} times, estimated from a part"
    return "not known"


def _interval(low: float | None, high: float | None, form: str, reason: str | None) -> str:
    if low is None or high is None:
        return f"not known: {reason}"
    return f"{low:{form}} to {high:{form}}"


def _in_words(verdict: str | None) -> str:
    return "cannot be told" if verdict is None else verdict.replace("_", " ")
