"""The sections of the page in order: title, charts, tables, how the figures were obtained, and their queries.

Belongs here: what the page contains, and what it says if there is nothing to show. A section without data says how to
get some.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.report import asked, tables
from orchestration.report.cells import Table
from orchestration.report.findings import KNOWN_TASKS, MEASURED, Answers, states, tasks_compared

NO_LEADERBOARD = (
    "No state of the Open LLM Leaderboard has been imported: `evalwatt import-leaderboard hub` imports the newest one, "
    "`evalwatt build` loads it."
)
NO_OWN = "Nothing has been evaluated here yet: `evalwatt run` evaluates the catalogue's models."
FEWEST_REPETITIONS = 3  # needed for an energy with an interval
NO_INTERVALS = (
    f"These energies have no intervals; an interval takes {FEWEST_REPETITIONS} repetitions (repetitions: "
    f"{FEWEST_REPETITIONS} in the suite, or evalwatt evaluate MODEL --force --until-precise 5%)."
)
ONLY_PARTS = (
    "Nothing has been evaluated completely here yet, so nothing is ranked: `evalwatt evaluate MODEL --complete` asks a "
    "model the rest."
)
NAMEPLATE = "nameplate power × hours"

FEWEST_IN_A_BOX = 5  # quartiles of fewer models would mean nothing
LEADERBOARD_GRID = "leaderboard"  # the scenario of the leaderboard's own figures


@dataclass(frozen=True)
class Chart:
    """A chart on the page: its id and specification, its title, and how to read it."""

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
    list_of: str | None = None  # a long table, filled by the script
    controls: str | None = None


def family_charts(answers: Answers) -> dict[str, str]:
    """The size classes of the study's claims, by the id of their chart."""
    classes = dict.fromkeys(row["size_class"] for row in answers["claims"] if row["size_class"])
    return {f"families-{number}": size_class for number, size_class in enumerate(classes, start=1)}


def sections(answers: Answers) -> list[Section]:
    """All sections. Those without data keep their title and say how to get some; how much was asked has a section only
    where something was looked at before everything was asked."""
    return [
        _frontier(answers),
        _finetunes(answers),
        *([_asked(answers)] if asked.is_any(answers) else []),
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
    if len(own) == 1 and not asked.is_any_part(answers):
        notes += (
            "Only one model is evaluated here, so there is nothing to compare it with: add another to `catalogue.yml`.",
        )
    rows = bool(own or len(answers["leaderboard_models"]))
    return Section(
        id="frontier",
        name="Frontier",
        title="Score against energy",
        lead="Up and to the left is better. The line connects the frontier: models that no other beats on one axis "
        "without losing on the other.",
        charts=(Chart("frontier", "frontier", "Score against the energy of evaluating"),) if rows else (),
        notes=notes,
        list_of="models" if rows else None,
        controls="frontier" if rows else None,
        queries=("own_models", "leaderboard_models"),
        method="Your models: gross inference energy of the suite, by the method on the axis, within one comparability "
        f"key. Leaderboard: {_multiplied(answers)}, not measured; `as published` sums repeated evaluations, `per run` "
        "is one of them, inferred from the sequence of states.",
    )


def _multiplied(answers: Answers) -> str:
    """The factors of the leaderboard's CO₂: the power in its comparability key, the hours, and its grid."""
    keys = [row["comparability_key"] for row in answers["methods"] if row["basis"] != MEASURED]
    power = [part for key in keys for part in key.split(" | ") if part.startswith("nameplate")]
    grids = [row["grid_intensity_g_per_kwh"] for row in answers["scenarios"].where(scenario=LEADERBOARD_GRID)]
    return " × ".join([*(power[:1] or [NAMEPLATE]), *(f"{grid:g} g/kWh" for grid in grids[:1])]).replace(" x ", " × ")


def _finetunes(answers: Answers) -> Section:
    pairs = list(answers["finetunes"])
    notes = _absent(answers)
    own = [row for row in pairs if row["basis"] == MEASURED]
    if answers["own_models"] and not own and not asked.is_any_part(answers):
        notes += (
            "None of your fine-tunes can be compared with its base: set `base_model:` in `catalogue.yml`, and evaluate "
            "both on the same suite.",
        )
    elif own and all(row["energy_ratio_low"] is None for row in own):
        reasons = sorted({row["energy_interval_reason"] for row in own if row["energy_interval_reason"]})
        notes += (
            f"Your energy ratios have no interval ({'; '.join(reasons)}); an interval takes {FEWEST_REPETITIONS} "
            "repetitions.",
        )
    notes += tuple(
        f"{row['finetuned']} against {row['base']}: the energy of the whole suite {row['suite']} is not known, so they "
        f"are compared on {tasks_compared(row)}."
        for row in own
        if row["scope"] == KNOWN_TASKS
    )
    charts = []
    if pairs:
        charts.append(
            Chart("arrows", "arrows", "From the base to the fine-tune", "○ base, ● fine-tune, lines: 95 % intervals")
        )
    reading = "● per run, ○ as published (alone if not known per run); left of the line: less than the base"
    for place, size_class in family_charts(answers).items():
        if answers["families"].where(size_class=size_class):
            charts.append(Chart(place, "families", f"{size_class}: median emissions relative to the base", reading))
    return Section(
        id="fine-tunes",
        name="Fine-tunes",
        title="Base against fine-tuned",
        lead="Does fine-tuning gain points, and at what price? Left is cheaper, up is better.",
        charts=tuple(charts),
        notes=notes,
        tables=(tables.families(answers),) if answers["families"] else (),
        list_of="pairs" if pairs else None,
        controls="fine-tunes" if pairs else None,
        queries=("finetunes", "families"),
        method="Both models of a pair of yours answer the same documents: the score's interval is paired, the energy's "
        "comes from repetitions. A leaderboard pair has a single row per side, so it has no interval.",
    )


def _asked(answers: Answers) -> Section:
    return Section(
        id="asked",
        name="Asked",
        title="How much was asked",
        lead="Questions that were looked at before everything was asked. Those asked in part are compared only here, "
        "and nothing ranks them.",
        charts=(Chart("asked", "asked", "Difference of the scores", "lines: 95 % intervals for such questions"),)
        if asked.has_difference(answers)
        else (),
        notes=asked.notes(answers),
        tables=(asked.table(answers),),
        queries=("asked",),
        method="Difference, p value and the first interval are about quality: the documents are a sample of such "
        "questions, and the test (`score_test`) pays for every look at the answers. The second interval is about the "
        "full run, whose documents are all there are; it says nothing of other questions.",
    )


def _size(answers: Answers) -> Section:
    charts = []
    if states(answers):
        charts = [
            Chart(
                "sizes",
                "sizes",
                "Emissions by size class",
                "box: middle half, bar: median, ◆ mean, line: to the 95th percentile; published values sum repeated "
                "evaluations",
            ),
            Chart(
                "marginal",
                "marginal",
                "Points gained per kilogram from one class to the next",
                "between the medians of the two classes",
            ),
        ]
    if any(row["n"] for row in answers["sizes"].where(basis=MEASURED)):
        charts.append(
            Chart(
                "own-sizes",
                "sizes",
                "Your models by size class",
                f"box: middle half, bar: median, ◆ mean; ●: each model, in classes with fewer than {FEWEST_IN_A_BOX}",
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
        method="The study's population is classed by the parameters in the leaderboard's table, your models by the "
        "parameters counted in their weights. The smallest models that can do anything at all have the most points per "
        "kg, so look at the score too.",
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
        lead="Which models score more points per kilogram: those of the base models' publishers, or the community's?",
        charts=charts,
        notes=() if states(answers) else (NO_LEADERBOARD,),
        tables=(tables.providers(answers),) if answers["providers"] else (),
        queries=("providers",),
        method="Medians over the study's population. `Official at equal size and month` comes from a regression of log"
        " kg on size and month of submission: an official model's emissions, divided by those of a similar community "
        "model.",
    )


def _verbosity(answers: Answers) -> Section:
    there = bool(answers["verbosity"])
    notes: tuple[str, ...] = (
        ("The leaderboard's table has no token counts: only your own evaluations show verbosity.",)
        if states(answers)
        else ()
    )
    if not there:
        notes += (
            _no_own(answers)
            if not answers["own_models"]
            else "None of the tasks evaluated here generates text: add one that does.",
        )
    return Section(
        id="verbosity",
        name="Verbosity",
        title="Verbosity",
        lead="Down and to the left is better: fewer words, less energy per correct answer.",
        charts=(
            Chart(
                "verbosity",
                "verbosity",
                "Tokens written against energy per correct answer",
                "one colour per task; a dashed line connects a base and its fine-tune",
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
        lead="CO₂ Emissions and Models Performance (Hugging Face, 9 January 2025), tested on three bases: the "
        "leaderboard as published, the leaderboard per run, and your evaluations.",
        notes=_absent(answers),
        tables=(tables.claims(answers),) if answers["claims"] else (),
        queries=("claims",),
        method="Each verdict follows the rule in its row. `As published`: the table's CO₂, which sums repeated "
        "evaluations; official models were repeated more often than others. `Per run`: one evaluation of each model.",
    )


def _nights(answers: Answers) -> Section:
    there = bool(answers["nights"])
    return Section(
        id="nights",
        name="Nights",
        title="Emissions by night",
        lead="The energy of each night on each machine, and whether the control workload was steady. Sums include "
        "repetitions.",
        charts=(Chart("nights", "nights", "Energy of each night by phase", "marks: control workload"),)
        if there
        else (),
        notes=() if there else (NO_OWN,),
        tables=(tables.nights(answers),) if there else (),
        controls="nights" if there else None,
        queries=("nights",),
        method="Gross energy of all phases of all runs that started on the date (UTC). A sum leaves out windows "
        "with an energy that cannot be trusted, and says how many. The control workload runs in scheduled nights only.",
    )


def _scenarios(answers: Answers) -> Section:
    there = bool(answers["scenarios"])
    return Section(
        id="scenarios",
        name="Other grids",
        title="On another grid",
        lead="The same kilowatt-hours elsewhere: choose a grid and the site's overhead (PUE).",
        charts=(Chart("scenarios", "scenarios", "Emissions by scenario"),) if there else (),
        notes=_absent(answers),
        list_of="scenarios-list" if there else None,
        controls="scenarios" if there else None,
        queries=("scenarios",),
        method="kWh × PUE × g/kWh ÷ 1000. The leaderboard's kWh are recovered from its CO₂. Grids are 2023 "
        "averages from codecarbon's table.",
    )


def _methods(answers: Answers) -> Section:
    return Section(
        id="methods",
        name="Methods",
        title="How each figure was obtained",
        lead="Compare energies only within one comparability key. Modelled energies are essentially CPU time; "
        "nameplate energies are not measured.",
        notes=_absent(answers),
        tables=(tables.methods(answers),) if answers["methods"] else (),
        queries=("methods", "publication"),
        method="`modelled_own_time`: the processor's rated power and watts per memory module, times the evaluator's "
        "own CPU time. `modelled`: the same, but from the machine's load, and for memory from elapsed time. "
        f"`integrated`: sampled power. `measured`: an energy counter. `{NAMEPLATE}`: the leaderboard's formula.",
    )


def _absent(answers: Answers) -> tuple[str, ...]:
    """What is missing, and how to get it."""
    return (() if answers["own_models"] else (_no_own(answers),)) + (() if states(answers) else (NO_LEADERBOARD,))


def _no_own(answers: Answers) -> str:
    """Why no model is ranked."""
    return ONLY_PARTS if asked.is_any_part(answers) else NO_OWN
