"""The sections of the page, in their order: title, charts, table, how the figures came about, and their queries.

Belongs here: what the page has and what it says where there is nothing to show. A section without evidence says how to
get some.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.report import tables
from orchestration.report.cells import Table
from orchestration.report.findings import KNOWN_TASKS, MEASURED, Answers, states, tasks_compared

NO_LEADERBOARD = (
    "No state of the Open LLM Leaderboard is imported: `evalwatt import-leaderboard hub` brings the newest one, "
    "`evalwatt build` brings it into the tables."
)
NO_OWN = "Nothing was evaluated here yet: `evalwatt run` evaluates the catalogue's models."
FEWEST_REPETITIONS = 3  # of an energy with an interval
NO_INTERVALS = (
    f"These energies have no intervals: one takes {FEWEST_REPETITIONS} repetitions (repetitions: {FEWEST_REPETITIONS} "
    "in the suite, or evalwatt evaluate MODEL --force --until-precise 5%)."
)
NAMEPLATE = "nameplate power × hours"

FEWEST_IN_A_BOX = 5  # quartiles of fewer models would be made up
LEADERBOARD_GRID = "leaderboard"  # the scenario that the leaderboard's own figures are of


@dataclass(frozen=True)
class Chart:
    """Where the page draws a chart: its place, the specification, and what a reader who cannot see it is told."""

    id: str
    specification: str
    title: str
    reading: str = ""


@dataclass(frozen=True)
class Section:
    """One section; `controls` names a template with its filters."""

    id: str
    name: str  # in the list of sections
    title: str
    lead: str
    queries: tuple[str, ...]
    method: str
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    list_of: str | None = None  # a long table, which the script fills
    controls: str | None = None


def family_charts(answers: Answers) -> dict[str, str]:
    """The size classes that the study's claims are about, by the place of their chart."""
    classes = dict.fromkeys(row["size_class"] for row in answers["claims"] if row["size_class"])
    return {f"families-{number}": size_class for number, size_class in enumerate(classes, start=1)}


def sections(answers: Answers) -> list[Section]:
    """All sections. Those that stand on evidence that is not there keep their title and say what to do."""
    return [
        _frontier(answers),
        _finetunes(answers),
        _size(answers),
        _official(answers),
        _verbosity(answers),
        _claims(answers),
        _nights(answers),
        _scenarios(answers),
        _methods(answers),
    ]


def _frontier(answers: Answers) -> Section:
    notes = _absent(answers)
    own = list(answers["own_models"])
    if len(own) == 1:
        notes += ("One model only is evaluated here, so it is compared with nothing: add one to `catalogue.yml`.",)
    rows = bool(own or len(answers["leaderboard_models"]))
    return Section(
        id="frontier",
        name="Frontier",
        title="Score against energy",
        lead="Up and to the left is better. On the line are the models that no other beats: none scores as much for "
        "as little.",
        charts=(Chart("frontier", "frontier", "Score against what evaluating takes"),) if rows else (),
        notes=notes,
        list_of="models" if rows else None,
        controls="frontier" if rows else None,
        queries=("own_models", "leaderboard_models"),
        method="Own models: gross energy of inference over the suite, by the method that the axis names, within one "
        f"comparability key. Leaderboard: {_multiplied(answers)}, no measurement; `as published` sums repeated "
        "evaluations, `per run` is one of them, read from the sequence of states.",
    )


def _multiplied(answers: Answers) -> str:
    """What the leaderboard's CO₂ is the product of: the power that its comparability key names, and its grid."""
    keys = [row["comparability_key"] for row in answers["methods"] if row["basis"] != MEASURED]
    power = [part for key in keys for part in key.split(" | ") if part.startswith("nameplate")]
    grids = [row["grid_intensity_g_per_kwh"] for row in answers["scenarios"].where(scenario=LEADERBOARD_GRID)]
    return " × ".join([*(power[:1] or [NAMEPLATE]), *(f"{grid:g} g/kWh" for grid in grids[:1])]).replace(" x ", " × ")


def _finetunes(answers: Answers) -> Section:
    pairs = list(answers["finetunes"])
    notes = _absent(answers)
    own = [row for row in pairs if row["basis"] == MEASURED]
    if answers["own_models"] and not own:
        notes += (
            "No own fine-tune stands beside its base: give it `base_model:` in `catalogue.yml`, and let both answer "
            "the same suite.",
        )
    elif own and all(row["energy_ratio_low"] is None for row in own):
        reasons = sorted({row["energy_interval_reason"] for row in own if row["energy_interval_reason"]})
        notes += (
            f"Own energy ratios have no interval ({'; '.join(reasons)}): {FEWEST_REPETITIONS} repetitions give one.",
        )
    notes += tuple(
        f"{row['finetuned']} against {row['base']}: the energy of {row['suite']} is not known as a whole, so they are "
        f"compared on {tasks_compared(row)}."
        for row in own
        if row["scope"] == KNOWN_TASKS
    )
    charts = []
    if pairs:
        charts.append(
            Chart("arrows", "arrows", "From the base to the fine-tune", "○ base, ● fine-tune, lines: 95 % intervals")
        )
    reading = "● per run, ○ as published, ○ alone: not known per run; left of the line: less than the base"
    for place, size_class in family_charts(answers).items():
        if answers["families"].where(size_class=size_class):
            charts.append(Chart(place, "families", f"{size_class}: median emissions against the base's", reading))
    return Section(
        id="fine-tunes",
        name="Fine-tunes",
        title="Base against fine-tuned",
        lead="Does fine-tuning buy points, and at what price? Left is cheaper, up is better.",
        charts=tuple(charts),
        notes=notes,
        tables=(tables.families(answers),) if answers["families"] else (),
        list_of="pairs" if pairs else None,
        controls="fine-tunes" if pairs else None,
        queries=("finetunes", "families"),
        method="Own pairs answer the same documents: the score's interval is paired, that of the energy comes from "
        "repetitions. A pair of the leaderboard is one row a side, so it has no interval.",
    )


def _size(answers: Answers) -> Section:
    charts = []
    if states(answers):
        charts = [
            Chart(
                "sizes",
                "sizes",
                "Emissions by size class",
                "box: middle half, bar: median, ◆ mean, line: to the 95th percentile; as published sums evaluations",
            ),
            Chart(
                "marginal",
                "marginal",
                "What a kilogram buys on the way to the next class",
                "points between the medians of two classes",
            ),
        ]
    if any(row["n"] for row in answers["sizes"].where(basis=MEASURED)):
        charts.append(
            Chart(
                "own-sizes",
                "sizes",
                "Own models by size class",
                f"box: middle half, bar: median, ◆ mean; of fewer than {FEWEST_IN_A_BOX} models each: ●",
            )
        )
    return Section(
        id="size",
        name="Size",
        title="Size and diminishing returns",
        lead="Larger models emit more and score more, and each further point costs more than the one before.",
        charts=tuple(charts),
        notes=_absent(answers),
        tables=tuple(tables.sizes(answers)),
        queries=("sizes",),
        method="The study's population, classed by the parameters that the table publishes; own models by the "
        "parameters counted in their weights. Points per kg are won by the smallest model that can do "
        "anything: look at the score.",
    )


def _official(answers: Answers) -> Section:
    charts = (
        (
            Chart(
                "providers",
                "providers",
                "Points per kg by size class and provider",
                "● per run, ○ as published, line: 95 % interval",
            ),
        )
        if states(answers)
        else ()
    )
    return Section(
        id="official",
        name="Providers",
        title="Official against community",
        lead="Who gets more points out of a kilogram: the publishers of the base models, or the community?",
        charts=charts,
        notes=() if states(answers) else (NO_LEADERBOARD,),
        tables=(tables.providers(answers),) if answers["providers"] else (),
        queries=("providers",),
        method="Medians over the study's population. `Official at equal size and month` is a regression of log kg on"
        " size and month of submission: how many times as much an official model emits as a like community "
        "model.",
    )


def _verbosity(answers: Answers) -> Section:
    there = bool(answers["verbosity"])
    notes: tuple[str, ...] = (
        ("The leaderboard's table counts no tokens: only own evaluations tell.",) if states(answers) else ()
    )
    if not there:
        notes += (
            NO_OWN
            if not answers["own_models"]
            else "No task of the suites evaluated here generates text: add one that does.",
        )
    return Section(
        id="verbosity",
        name="Verbosity",
        title="Verbosity",
        lead="Down and to the left is better: fewer words, less energy for a correct answer.",
        charts=(
            Chart(
                "verbosity",
                "verbosity",
                "Tokens written against energy per correct answer",
                "same task, same colour; dashes join a base and its fine-tune",
            ),
        )
        if there
        else (),
        notes=notes,
        tables=(tables.verbosity(answers),) if there else (),
        controls="verbosity" if there else None,
        queries=("verbosity",),
        method="Generating tasks only, the latest valid evaluation of each model and task.",
    )


def _claims(answers: Answers) -> Section:
    return Section(
        id="claims",
        name="Claims",
        title="The study's claims",
        lead="CO₂ Emissions and Models Performance (Hugging Face, 9 January 2025), put to three kinds of evidence.",
        notes=_absent(answers),
        tables=(tables.claims(answers),) if answers["claims"] else (),
        queries=("claims",),
        method="Each verdict follows a rule that stands in its row. `As published` the table's CO₂ sums repeated "
        "evaluations, official models' more often than others'; `per run` counts one each.",
    )


def _nights(answers: Answers) -> Section:
    there = bool(answers["nights"])
    return Section(
        id="nights",
        name="Nights",
        title="Emissions of the nights",
        lead="What every night took on each machine, and whether its control workload was as steady as before. "
        "Repetitions are in the sums.",
        charts=(Chart("nights", "nights", "Energy of every night by phase", "marks: the control workload"),)
        if there
        else (),
        notes=() if there else (NO_OWN,),
        tables=(tables.nights(answers),) if there else (),
        controls="nights" if there else None,
        queries=("nights",),
        method="Gross energy of all phases of all runs begun on the date (UTC). A sum says which windows it lacks "
        "for want of a believable figure. The control workload runs in scheduled nights only.",
    )


def _scenarios(answers: Answers) -> Section:
    there = bool(answers["scenarios"])
    return Section(
        id="scenarios",
        name="Other grids",
        title="On another grid",
        lead="The same kilowatt-hours, elsewhere: choose a grid and the overhead of the site, and the figures follow.",
        charts=(Chart("scenarios", "scenarios", "Emissions by scenario"),) if there else (),
        notes=_absent(answers),
        list_of="scenarios-list" if there else None,
        controls="scenarios" if there else None,
        queries=("scenarios",),
        method="kWh × PUE × g/kWh ÷ 1000. The leaderboard's kWh are recovered from its CO₂. Grids are averages of "
        "2023, of codecarbon's table.",
    )


def _methods(answers: Answers) -> Section:
    return Section(
        id="methods",
        name="Methods",
        title="How each figure was obtained",
        lead="Energies may be compared only within one comparability key. Modelled is essentially CPU time; nameplate "
        "is no measurement.",
        notes=_absent(answers),
        tables=(tables.methods(answers),) if answers["methods"] else (),
        queries=("methods", "publication"),
        method="`modelled_own_time`: the processor's rating and watts per memory module, by the evaluator's own CPU "
        "time. `modelled`: the same by the machine's load, and the memory's by the clock. `integrated`: "
        f"sampled power. `measured`: an energy counter. `{NAMEPLATE}`: what the leaderboard multiplies.",
    )


def _absent(answers: Answers) -> tuple[str, ...]:
    """What is not there, and how to get it."""
    return (() if answers["own_models"] else (NO_OWN,)) + (() if states(answers) else (NO_LEADERBOARD,))
