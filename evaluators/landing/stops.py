"""Stops: why no more of a question was asked, and whether that answers what is asked now.

A question is a task evaluation, or all of a suite's together. What an `until` asks for decides how much is asked and
enters no fingerprint, so a stop is compared with it. Does not belong here: the looks at the answers (`statistics`), or
which model a suite compares with (`catalogue`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa

from evaluators.landing import bundles, withdrawn
from evaluators.records import Stop


def landed(root: Path, without: Collection[str] = ()) -> Mapping[str, list[Path]]:
    """The stops of each question that count, oldest run first. Those of a run that is withdrawn or in `without` do not
    count."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in bundles.paths(root, without):
        question = bundles.question_in(path.name)
        if question is not None and withdrawn.withdrawal(root, path.parent.name) is None:
            found[question].append(path)
    return found


def read(path: Path) -> Stop | None:
    """The stop in a bundle's directory, for a suite that of the whole; None where it is damaged, which the loader
    quarantines and reports."""
    try:
        rows = bundles.rows(bundles.bundle_at(path), Stop)
    except (KeyError, ValueError, OSError, pa.ArrowException):
        return None
    return min(rows, key=lambda stop: stop.task)


def of_run(root: Path, run_id: str) -> list[Stop]:
    """The stops that a run landed, for a suite that of the whole; of several repetitions the first one's, because they
    differ only in their energies."""
    named = (bundle for bundle in bundles.bundles(root, run_id) if bundles.question_in(bundle.name) is not None)
    found = sorted(filter(None, (read(bundle.path) for bundle in named)), key=lambda stop: stop.repetition)
    by_question: dict[tuple[str, str], Stop] = {}
    for stop in found:
        by_question.setdefault((stop.suite, stop.task), stop)
    return [by_question[question] for question in sorted(by_question)]


def asked_by_task(stop: Stop) -> dict[str, int]:
    """How many documents of each task were asked when the question was stopped."""
    return {task: counts["asked"] for task, counts in json.loads(stop.looks_json)[-1].items()}


def shortfall(
    stop: Stop, width: float | None, margin: float, reference: tuple[str, Mapping[str, str]] | None
) -> str | None:
    """Why the stop does not answer what is asked for, in words; None where it does.

    `width`: the half-width in points; None where it is to be decided which model is better, within a margin. Then
    `reference` is the model that is compared with, and its complete task evaluations by task. A smaller margin or
    width, or another version of the reference, asks something else; a time that is up answers nothing.
    """
    if stop.stop_reason == "budget":
        return "it was interrupted"
    if (stop.until == "width") != (width is not None):
        return f"it was asked until {_goal(stop)}"
    wanted, had = (width, stop.width_points) if width is not None else (margin, stop.margin_points)
    if had is None or wanted is None or had > wanted:
        now = f"within {wanted:g}" if width is None else f"to ±{wanted:g}"
        return f"it was asked until {_goal(stop)}, now {now}"
    if width is not None:
        return None
    if reference is None or reference[0] != stop.reference_model_id:
        return f"it was compared with {stop.reference_model_id}"
    sides = {task: side["evaluation"] for task, side in json.loads(stop.reference_json or "{}").items()}
    if any(reference[1].get(task) != evaluation for task, evaluation in sides.items()):
        return f"{stop.reference_model_id} has changed since, or is to be evaluated again"
    return None


def finding(stop: Stop) -> str:
    """What was found, and how much was asked for it, in words."""
    asked = f"{stop.documents_asked:,} of {stop.documents_total:,} documents asked"
    if stop.until == "width":
        known = "not known yet" if stop.stop_reason == "budget" else "known"
        return f"{known} to ±{stop.width_points:g} points, {asked}"
    if stop.verdict is None and stop.stop_reason == "all":
        return f"no verdict against {stop.reference_model_id}, because a task is at or below chance, {asked}"
    match stop.verdict:
        case "better" | "worse":
            return f"{stop.verdict} than {stop.reference_model_id}, {asked}"
        case "equivalent":
            return f"equivalent to {stop.reference_model_id} within {stop.margin_points:g} points, {asked}"
        case "no_difference_shown" if stop.stop_reason == "given_up":
            rest = "the rest would show one with a chance below 10 %"
            return f"no difference from {stop.reference_model_id} shown, {asked}, and {rest}"
        case "no_difference_shown":
            return f"no difference from {stop.reference_model_id} shown, {asked}"
    return f"not decided yet, {asked}"


def _goal(stop: Stop) -> str:
    if stop.until == "width":
        return f"it was known to ±{stop.width_points:g} points"
    return f"it was decided within {stop.margin_points:g} points"
