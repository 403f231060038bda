"""`evalwatt gate`: the verdict on a model as an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli import complete, options
from orchestration.cli.refreshed import refresh, why_failed
from orchestration.cli.repetitions import Share

if TYPE_CHECKING:
    from evaluators.catalogue.entries import Catalogue
    from evaluators.plan import PlannedRun
    from orchestration.foreground import Foreground
    from orchestration.gates.asked import Asked
    from orchestration.home import Home

EXIT_CODES = {"PASS": 0, "FAIL": 3, "INCONCLUSIVE": 4}  # 1 and 2 mean what they do everywhere


@click.command("gate")
@click.argument("model", shell_complete=complete.models)
@click.option(
    "--against",
    required=True,
    metavar="base|last|NAME",
    shell_complete=complete.models,
    help="The reference: the model's base, its newest complete revision before this one, or another model.",
)
@click.option("--suite", shell_complete=complete.suites, help="Where the model has several suites: which one.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="Judge this task, not the suite as a whole; can be given several times. The suite is evaluated either way.",
)
@click.option(
    "--score-margin",
    type=click.FloatRange(min=0, min_open=True),
    metavar="POINTS",
    help="Scores within so many points are equivalent. Default: equivalence_margins, 2 points.",
)
@click.option(
    "--energy-margin",
    type=Share(),
    metavar="10%",
    help="Energies per correct answer within this share are equivalent. Default: equivalence_margins, 10%.",
)
@click.option(
    "--energy", type=click.Choice(["on", "off"]), default="on", show_default=True, help="off: judge the score alone."
)
@click.option("--inconclusive", type=click.Choice(["pass"]), help="Exit with 0 where neither PASS nor FAIL is shown.")
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a summary for a pull request into FILE.",
)
@options.as_json
@options.places()
def command(
    model: str,
    against: str,
    suite: str | None,
    tasks: tuple[str, ...],
    score_margin: float | None,
    energy_margin: float | None,
    energy: str,
    inconclusive: str | None,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Is MODEL worse than another, or does it cost more energy per correct answer? The exit code says it.

    Evaluates what is due of both, publishes, and judges score and energy by the marts.

    \b
    Exit codes:
      0  PASS: both are equivalent within the margin, or better
      1  it could not be evaluated
      2  usage error
      3  FAIL: one of them is worse, which is shown
      4  INCONCLUSIVE: neither is shown; the answer says what would decide it

    \b
    Examples:
      evalwatt gate SmolLM2-135M-short-answers --against base
      evalwatt gate SmolLM2-135M-short-answers --against base --task mini_instructions --energy off
      evalwatt gate my-model --against last --score-margin 1 --energy-margin 5% --markdown gate.md
    """
    from evaluators.catalogue.entries import load
    from evaluators.catalogue.margins import default_margin
    from orchestration.gates.asked import ask
    from orchestration.home import Home, catalogue_path

    if energy == "off" and energy_margin is not None:
        raise click.UsageError("--energy off judges the score alone; leave out --energy-margin, or --energy off")
    home, catalogue = Home.from_env(), load(catalogue_path())
    ratio = default_margin("joules_per_correct") if energy_margin is None else 1 + energy_margin
    asked = ask(
        catalogue,
        model,
        against,
        suite,
        tasks,
        score_margin=default_margin("score") if score_margin is None else score_margin,
        energy_margin=ratio if energy == "on" else None,
        passes_inconclusive=inconclusive == "pass",
    )
    if markdown is not None and not markdown.absolute().parent.is_dir():
        raise click.UsageError(f"--markdown {markdown}: there is no folder {markdown.absolute().parent}")
    sys.exit(_answer(home, catalogue, asked, markdown, as_json))


def _answer(home: Home, catalogue: Catalogue, asked: Asked, markdown: Path | None, as_json: bool) -> int:
    """Decide, say it and return the exit code."""
    from orchestration.foreground import foreground
    from orchestration.gates import landed, verdicts, words

    with foreground(home) as dagster:
        if not (read := dagster.read_catalogue()).succeeded:
            raise click.ClickException("\n".join(read.reasons))
        candidate, reference = _evaluated(dagster, home, catalogue, asked)
        gate_id = landed.land_question(home.landing, asked, landed.sides(home.landing, asked, candidate, reference))
        _publish(dagster)
        published = verdicts.published(home, gate_id, asked)
        judged = verdicts.judge(published.figures, asked)
        outcome = verdicts.overall(judged)
        landed.land_verdicts(home.landing, gate_id, outcome, judged)
        if markdown is not None:
            markdown.write_text(words.markdown(asked, published, judged, outcome), encoding="utf-8")
        code = 0 if outcome == "INCONCLUSIVE" and asked.passes_inconclusive else EXIT_CODES[outcome]
        if as_json:
            facts = words.facts(gate_id, asked, published, judged, outcome)
            _print(json.dumps({**facts, "exit_code": code}, indent=2))
        else:
            _print(words.text(asked, published, judged, outcome))
        if not (shown := refresh(dagster)).published:
            print(f"the verdict is landed; `evalwatt build` publishes it: {why_failed(shown)}", file=sys.stderr)
    return code


def _evaluated(dagster: Foreground, home: Home, catalogue: Catalogue, asked: Asked) -> tuple[PlannedRun, PlannedRun]:
    """Evaluate what is due, the reference first and completely. Returns the plans of candidate and reference."""
    gated = catalogue.compared_with(asked.compare_with, asked.score_margin)
    reference = None
    if not asked.names_an_earlier_revision:
        reference = _up_to_date(dagster, home, gated, asked.reference, asked.suite, {"complete": True})
    config = {"compare_with": asked.compare_with, "margin": asked.score_margin}
    candidate = _up_to_date(dagster, home, gated, asked.candidate, asked.suite, config)
    return candidate, reference or candidate


def _up_to_date(
    dagster: Foreground, home: Home, catalogue: Catalogue, model: str, suite: str, config: Mapping[str, Any]
) -> PlannedRun:
    """Evaluate the model if it is due. Returns its plan afterwards."""
    from evaluators.plan import plan
    from orchestration.instance.names import FOREGROUND_TAG

    complete = bool(config.get("complete"))
    (planned,) = plan(catalogue, home.path, models=[model], suites=[suite], complete=complete)
    print(f"{model} on {suite}: {'due' if planned.due else 'not due'}: {planned.reason}", file=sys.stderr, flush=True)
    if not planned.due:
        return planned
    outcome = dagster.evaluate(model, {"suites": [suite], **config}, {FOREGROUND_TAG: "true"})
    if not outcome.succeeded:
        raise click.ClickException(f"{model} could not be evaluated: {why_failed(outcome)}")
    (planned,) = plan(catalogue, home.path, models=[model], suites=[suite], complete=complete)
    return planned


def _publish(dagster: Foreground) -> None:
    if not (refreshed := refresh(dagster)).published:
        raise click.ClickException(f"{refreshed.what_failed}: {why_failed(refreshed)}")


def _print(answer: str) -> None:
    """Whoever stops reading early gets the same exit code."""
    try:
        print(answer, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
