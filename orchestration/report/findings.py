"""The top of the page: the night in one sentence and four figures, and the study's six questions with answers.

Belongs here: choosing rows and putting them into words. Every figure comes from a row of a query; only sums over a
night are calculated. Where there is no answer, the verdict is `undetermined`, with the mart's reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from orchestration.report import formats
from orchestration.report.queries import Answer, Row

MEASURED, PUBLISHED, PER_RUN = "measured", "leaderboard_published", "leaderboard_per_run"
BASES = {PUBLISHED: "Leaderboard, as published", PER_RUN: "Leaderboard, per run", MEASURED: "Your evaluations"}
HOLDS, UNDETERMINED = ("holds", "holds_in_direction"), "undetermined"  # codes of a claim's verdict
PHASES = ("idle", "load", "warmup", "inference", "scoring")
SUITE, KNOWN_TASKS = "suite", "known_tasks"  # scopes of a pair: all tasks, or those with known energies

# The control workload's flags in words.
CONTROL = {
    "steady": "steady",
    "drifted": "drifted",
    "learning": "learning",
    "no_figure": "no figure",
    "no_control": "did not run",
}

Answers = Mapping[str, Answer]


@dataclass(frozen=True)
class Figure:
    """One figure of the night: its value, its subject, and how it was obtained."""

    title: str
    value: str
    of: str
    method: str


@dataclass(frozen=True)
class Verdict:
    """A claim's verdict: a code for programs and words for people."""

    code: str
    words: str

    @classmethod
    def of(cls, claim: Row) -> Verdict:
        return cls(claim["verdict_code"], claim["verdict"])


@dataclass(frozen=True)
class Finding:
    """What one basis says about a claim; `state` is the leaderboard's, None for your evaluations."""

    basis: str
    state: date | None
    verdict: Verdict | None
    words: str


@dataclass(frozen=True)
class Question:
    """A question of the study, the section that covers it, and its findings."""

    words: str
    section: str
    findings: tuple[Finding, ...]

    def on(self, basis: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.basis == basis]


def study_day(answers: Answers) -> date | None:
    """The leaderboard state that the study used; None if there is nothing to check its claims against."""
    return next((row["study_day"] for row in answers["claims"]), None)


def small(answers: Answers) -> float | None:
    """The billions of parameters below which claim a calls a model small."""
    return next((row["params_below_b"] for row in answers["claims"].where(claim_id="a")), None)


def states(answers: Answers) -> list[date]:
    """The leaderboard's states on the page, oldest first."""
    found = {row["as_of"] for row in answers["claims"] if row["basis"] != MEASURED}
    found |= {row["as_of"] for row in answers["leaderboard_models"]}
    return sorted(found)


def main_key(answers: Answers) -> str | None:
    """The headline comparability key, which the claims use too; None if nothing was evaluated here."""
    first = min(answers["own_models"], key=lambda row: row["headline_rank"], default=None)
    return first["comparability_key"] if first is not None else None


def tonight(answers: Answers) -> tuple[str, list[Figure]]:
    """The newest night in one sentence and four figures; the leaderboard if nothing was evaluated here."""
    nights = list(answers["nights"])
    if not nights:
        return _without_own(answers)
    night = max(row["night"] for row in nights)
    rows = [row for row in nights if row["night"] == night]
    own = answers["own_models"].where(comparability_key=main_key(answers))
    method = (
        "; ".join(sorted({row["energy_methods"] for row in rows if row["energy_methods"]})) or "no task has an energy"
    )
    # A window or model without an energy does not hide the others: the sentence says what the sum lacks.
    known = [row for row in rows if row["energy_known_kwh"] is not None]
    energy, kg = _sum(known, "energy_known_kwh"), _sum(known, "emissions_known_kg")
    lacking = _without(known)
    missing = "; ".join(sorted({row["energy_reason"] for row in rows if row["energy_reason"]}))
    models = len({row["model"] for row in rows})
    part = f"{len(known)} of {len(rows)} {'models' if len(rows) == models else 'models by machine'}"
    part = part if 0 < len(known) < len(rows) else ""
    machines = ", ".join(sorted({row["machine"] for row in rows}))
    least = "at least " if part else ""
    noun = "model" if models == 1 else "models"
    sentence = f"{models} {noun} evaluated on {day(night)} on {machines}"
    if energy is None:
        sentence += f"; the energy used is not known ({missing})"
    else:
        sentence += f", using {least}{formats.energy(energy)} ({method}) and emitting {formats.mass(kg)} of CO₂e"
    sentence += "".join(f", {words}" for words in (lacking, part and f"known for {part}") if words)
    best = max((row for row in own if row["score"] is not None), key=lambda row: row["score"], default=None)
    metered = [row for row in own if row["joules_per_correct"] is not None]
    cheap = min(metered, key=lambda row: row["joules_per_correct"], default=None)
    if best is not None and len(own) > 1:
        sentence += f"; of the {len(own)} models compared, {best['model']} scores "
        sentence += ("higher" if len(own) == 2 else "highest") + _closeness(best, own, "score")
        if cheap is not None and len(metered) > 1:
            subject = "" if best["model"] == cheap["model"] else f"{cheap['model']} "
            if len(metered) < len(own):
                subject = f"of the {len(metered)} with a known energy, {cheap['model']} "
            amount = "less" if len(metered) == 2 else "the least"
            sentence += f" and {subject}needs {amount} energy per correct answer{_sureness(cheap, own)}"
    flags = ", ".join(sorted({CONTROL[row["control_flag"]] for row in rows}))
    return f"{sentence}.", [
        _best(best),
        _cheapest(cheap, own, _own_pairs(answers)),
        Figure(
            "Energy of the night",
            least + formats.energy(energy),
            ", ".join(filter(None, (f"all phases of {part or 'all runs'} on {machines}", lacking))),
            method if known else missing,
        ),
        Figure(
            "Emissions of the night",
            f"{least}{formats.mass(kg)} CO₂e",
            ", ".join(filter(None, ("with the catalogue's grid and PUE", lacking))),
            f"control workload: {flags}",
        ),
    ]


def _closeness(best: Row, own: Sequence[Row], figure: str) -> str:
    """Says that another model may be as good, if their intervals overlap."""
    low, high = f"{figure}_low", f"{figure}_high"
    close = [
        row["model"]
        for row in own
        if row["model"] != best["model"] and None not in (best[low], best[high], row[low], row[high])
        if row[low] <= best[high] and row[high] >= best[low]
    ]
    return f" (the interval overlaps that of {close[0]})" if close else ""


def _sureness(cheap: Row, own: Sequence[Row]) -> str:
    """How certain the least energy is: it may have no interval at all."""
    if cheap["joules_per_correct_low"] is None:
        return f" (no interval: {cheap['energy_interval_reason'] or formats.NOT_KNOWN})"
    return _closeness(cheap, own, "joules_per_correct")


def _best(row: Row | None) -> Figure:
    if row is None:
        return Figure("Highest score", formats.NOT_KNOWN, "", "no suite is complete")
    low, high = formats.points(row["score_low"]), formats.points(row["score_high"])
    scale = f"of 100 points, 95 % interval {low} to {high}" if row["score_low"] is not None else "of 100 points"
    return Figure("Highest score", formats.points(row["score"]), row["model"], scale)


def _cheapest(row: Row | None, own: Sequence[Row], pairs: Sequence[Row]) -> Figure:
    """The least energy per correct answer. If no model has it for all tasks: the GPU's alone, or a pair's."""
    title = "Least energy per correct answer"
    if row is not None:
        metered = sum(r["joules_per_correct"] is not None for r in own)
        of = "" if metered == len(own) else f", known for {metered} of {len(own)} models"
        joules = f"{formats.number(row['joules_per_correct'])} J"
        return Figure(title, joules, f"{row['model']}{of}", row["energy_method"])
    if on_gpu := [r for r in own if r["joules_per_correct_gpu"] is not None]:
        row = min(on_gpu, key=lambda r: r["joules_per_correct_gpu"])
        joules = f"{formats.number(row['joules_per_correct_gpu'])} J"
        return Figure(title, joules, row["model"], f"GPU alone ({row['energy_method']})")
    if known := [pair for pair in pairs if pair["scope"] == KNOWN_TASKS and pair["joules_per_correct_ratio"]]:
        pair = max(known, key=lambda pair: pair["tasks_paired"])
        side, other = ("base", "finetuned") if pair["joules_per_correct_ratio"] > 1 else ("finetuned", "base")
        joules = f"{formats.number(pair[f'{side}_joules_per_correct'])} J"
        of = f"{pair[side]}, against {pair[other]}, on {tasks_compared(pair)}"
        return Figure(title, joules, of, pair["energy_method"])
    reasons = {str(r["joules_per_correct_reason"] or r["missing_reason"]) for r in own}
    return Figure(title, formats.NOT_KNOWN, "", "; ".join(sorted(reasons)))


def tasks_compared(pair: Row) -> str:
    """`5 of 6 tasks (a, b, c, d, e)`."""
    return f"{pair['tasks_paired']} of {pair['tasks_planned']} tasks ({pair['tasks_compared']})"


def _own_pairs(answers: Answers) -> list[Row]:
    return answers["finetunes"].where(basis=MEASURED, comparability_key=main_key(answers))


def _without_own(answers: Answers) -> tuple[str, list[Figure]]:
    remedy = "Nothing has been evaluated here yet: `evalwatt run` evaluates the catalogue's models"
    held = states(answers)
    if not held:
        return f"{remedy}, `evalwatt import-leaderboard hub` imports the leaderboard's newest state.", []
    newest = answers["leaderboard_models"].where(basis=PER_RUN, as_of=held[-1])
    frontier = [row for row in newest if row["on_frontier"]]
    known = [row["emissions_kg"] for row in newest if row["emissions_kg"] is not None]
    claims = answers["claims"].where(basis=PER_RUN, as_of=held[-1])
    holds = [row for row in claims if row["verdict_code"] in HOLDS]
    of = f"as of {day(held[-1])}"
    return f"{remedy}. The leaderboard's table as of {day(held[-1])} has {len(newest):,} models.", [
        Figure("Models", f"{len(newest):,}", of, "Open LLM Leaderboard v2"),
        Figure("On the frontier", f"{len(frontier)}", of, "no other model scores as much for as little"),
        Figure(
            "Evaluating all once", f"{formats.mass(sum(known))} CO₂e", f"{len(known):,} models", "nameplate × hours"
        ),
        Figure("Claims that hold", f"{len(holds)} of {len(claims)}", "per run", "at least in direction"),
    ]


def questions(answers: Answers) -> list[Question]:
    """The study's six questions."""
    asked = (
        ("Are small models enough?", "size", "a"),
        ("Do returns diminish with size?", "size", "b"),
        ("Are community models more efficient than official ones?", "official", "c"),
        ("70 B: what does fine-tuning change?", "fine-tunes", "de"),
        ("7 B: what does fine-tuning change?", "fine-tunes", "f"),
        ("Do fine-tunes write less, and use less energy?", "verbosity", "gh"),
    )
    return [Question(words, section, tuple(_findings(answers, claims))) for words, section, claims in asked]


def _findings(answers: Answers, claims: str) -> list[Finding]:
    found = []
    if claims == "a":
        found += _own_small(answers)
    if claims == "gh":
        found += _own_verbosity(answers)
    has_own = bool(found)
    for row in answers["claims"]:
        if row["claim_id"] in claims:
            own = row["basis"] == MEASURED
            # own models outside the study's families need no line when there are other findings on them
            if own and has_own and row["verdict_code"] == UNDETERMINED:
                continue
            words = _words(row, answers)
            found.append(Finding(row["basis"], None if own else row["as_of"], Verdict.of(row), words))
    # one sentence is enough if several claims are undetermined for the same reason
    return list(dict.fromkeys(found))


# Each claim in a few words; the page puts the verdict before them.
_CLAIMS = {
    "a": "some small models suffice",
    "b": "returns diminish",
    "c": "community models are more efficient",
    "d": "community fine-tunes emit about as much as their base",
    "e": "official fine-tunes emit twice as much as their base",
    "f": "no clear pattern",
    "g": "Qwen2's base models emit more",
    "h": "Llama's base models emit more",
}
_EFFECTS = {
    "c": "{} as many points per kg",
    **dict.fromkeys("defgh", "fine-tunes emit {} as much as their base, geometric mean"),
}


def _words(row: Row, answers: Answers) -> str:
    claim = row["claim_id"]
    if row["effect"] is None or row["verdict_code"] == UNDETERMINED:
        return str(row["reason"])
    uncounted = " (tokens are not counted)" if claim in "gh" and row["basis"] != MEASURED else ""
    said = f"“{_CLAIMS[claim]}”{uncounted}:"
    if claim == "a":
        return f"{said} {str(row['reason']).partition(';')[0]}"
    if claim == "b":
        sizes = answers["sizes"].where(basis=row["basis"], as_of=row["as_of"])
        steps = [
            formats.number(size["marginal_score_per_kg"]) for size in sizes if size["marginal_score_per_kg"] is not None
        ]
        return f"{said} {' → '.join(steps)} points per kg from one class to the next"
    effect = _EFFECTS[claim].format(formats.ratio(row["effect"]))
    return f"{said} {effect} {formats.interval(row['effect_low'], row['effect_high'])}".strip()


def _own_small(answers: Answers) -> list[Finding]:
    below = small(answers)
    own = [row for row in answers["own_models"].where(comparability_key=main_key(answers)) if row["score"] is not None]
    fitting = [row for row in own if None not in (below, row["params_b"]) and row["params_b"] < below]
    if not fitting:
        return []
    best = max(fitting, key=lambda row: row["score"])
    if best["energy_kwh"] is not None:
        took = f" for {formats.energy(best['energy_kwh'])} ({best['energy_method']})"
    elif best["energy_known_kwh"] is not None:
        took = (
            f" for {formats.energy(best['energy_known_kwh'])} without {best['tasks_without_energy']} "
            f"({best['energy_method']}; {best['missing_reason']})"
        )
    else:
        took = f"; its energy is not known ({best['missing_reason']})"
    words = f"best below {formats.number(below)} B: {best['model']}, {formats.points(best['score'])} points{took}"
    return [Finding(MEASURED, None, None, words)]


def _own_verbosity(answers: Answers) -> list[Finding]:
    pairs = _own_pairs(answers)
    known = {(pair["base"], pair["finetuned"]): pair for pair in pairs if pair["scope"] == KNOWN_TASKS}
    return [
        Finding(
            MEASURED,
            None,
            None,
            f"{row['finetuned']}: {formats.ratio(row['tokens_out_ratio'])} as many tokens as its base, "
            f"{_per_correct(known.get((row['base'], row['finetuned']), row))}",
        )
        for row in pairs
        if row["scope"] == SUITE and row["tokens_out_ratio"] is not None
    ]


def _per_correct(row: Row) -> str:
    if row["joules_per_correct_ratio"] is None:
        return f"energy per correct answer not known ({row['verdict_reason']})"
    on = f" on {tasks_compared(row)}" if row["scope"] == KNOWN_TASKS else ""
    ratio = formats.ratio(row["joules_per_correct_ratio"])
    return f"{ratio} as much energy per correct answer{on}: {row['verdict']} ({row['energy_method']})"


def day(value: date) -> str:
    return f"{value.day} {value:%B %Y}"


def _without(rows: Sequence[Row]) -> str:
    """The windows missing from the rows' sums, in words."""
    windows = {phase: sum(row[f"{phase}_windows_without_energy"] for row in rows) for phase in PHASES}
    return formats.without(windows, sum(row["duration_without_energy_s"] for row in rows))


def _sum(rows: Sequence[Row], column: str) -> float | None:
    """None without rows, or if a value is None: a sum without it would be too small."""
    values = [row[column] for row in rows]
    return None if None in values or not values else sum(values)
