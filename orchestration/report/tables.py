"""The page's small tables, one function each: rows of a query as cells with sort keys.

Belongs here: which column shows what. The two long tables (the leaderboard's models, pairs of base and fine-tune)
are filled by the page's script.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from orchestration.report import cells, formats
from orchestration.report.cells import Cell, Table
from orchestration.report.findings import (
    BASES,
    CONTROL,
    MEASURED,
    PER_RUN,
    PHASES,
    PUBLISHED,
    UNDETERMINED,
    Answers,
    Verdict,
)
from orchestration.report.queries import Row

FEWEST_FOR_MEDIAN = 6  # models needed for a median with an interval


def sizes(answers: Answers) -> list[Table]:
    """The leaderboard's classes and yours in separate tables, because their kilograms come from different work."""
    own = answers["sizes"].where(basis=MEASURED)
    listed = [row for row in answers["sizes"] if row["basis"] != MEASURED]
    return [
        _sizes("Emissions and scores by size class", listed),
        _sizes("Emissions and scores of your models by size class", own),
    ]


def _sizes(caption: str, found: list[Row]) -> Table:
    columns = cells.columns(
        "Class",
        "#Models",
        "Basis",
        "#Mean",
        "#Median",
        "#Mean score",
        "#Median points per kg",
        "#Points per kg to the next class",
    )
    rows = []
    for row in found:
        basis = BASES[row["basis"]] + (f": {row['suite']}, {cells.machine(row)}" if row["basis"] == MEASURED else "")
        if row["n"]:
            line = (
                Cell(row["bucket"], row["bucket_order"]),
                cells.figure(row["n"]),
                Cell(basis, basis),
                cells.mass(row["emissions_kg_mean"]),
                cells.mass(row["emissions_kg_median"]),
                Cell(formats.points(row["score_mean"]), row["score_mean"]),
                cells.figure(row["score_per_kg_median"]),
                cells.figure(row["marginal_score_per_kg"], "no next class"),
            )
            rows.append((_state(row), line))
    return Table(caption, columns, tuple(rows))


def providers(answers: Answers) -> Table:
    columns = cells.columns(
        "Class",
        "Provider",
        "Basis",
        "#Models",
        "#Median kg",
        "#Median score",
        "#Points per kg",
        "95 % interval",
        "Official at equal size and month",
    )
    rows = []
    for row in sorted(answers["providers"], key=lambda row: _bucket_order(answers, row["bucket"])):
        multiplier = (
            ""
            if row["official_multiplier"] is None
            else (
                f"{formats.ratio(row['official_multiplier'])} "
                f"{formats.interval(row['official_multiplier_low'], row['official_multiplier_high'])}"
            )
        )
        low, high = row["score_per_kg_median_low"], row["score_per_kg_median_high"]
        line = (
            Cell(row["bucket"], _bucket_order(answers, row["bucket"])),
            Cell(row["provider"], row["provider"]),
            Cell(BASES[row["basis"]], row["basis"]),
            cells.figure(row["n"]),
            cells.mass(row["emissions_kg_median"]),
            Cell(formats.points(row["score_median"]), row["score_median"]),
            cells.figure(row["score_per_kg_median"]),
            Cell(formats.interval(low, high, f"fewer than {FEWEST_FOR_MEDIAN} models").strip("()"), low),
            Cell(multiplier, row["official_multiplier"]),
        )
        rows.append((_state(row), line))
    return Table("Official against community models", columns, tuple(rows))


def families(answers: Answers) -> Table:
    """As published and per run in one row, because their difference is the point."""
    columns = cells.columns(
        "Family",
        "Class",
        "Group",
        "#Models, as published",
        "#Median, as published",
        "#Median relative to the base, as published",
        "#Models, per run",
        "#Median, per run",
        "#Median relative to the base, per run",
    )
    lines: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in answers["families"]:
        lines.setdefault((row["as_of"], row["size_class"], row["family"], row["model_group"]), {})[row["basis"]] = row
    rows = []
    for (as_of, size_class, family, group), found in lines.items():
        line = [
            Cell(family, family),
            Cell(size_class, size_class),
            Cell(group, group),
        ]
        for basis in (PUBLISHED, PER_RUN):
            if basis not in found:
                line += [Cell(formats.NOT_KNOWN)] * 3
                continue
            times = found[basis]["emissions_ratio_median"]
            why = found[basis]["ratio_reason"] or formats.NOT_KNOWN
            line += [
                cells.figure(found[basis]["n"]),
                cells.mass(found[basis]["emissions_kg_median"]),
                Cell(why if times is None else formats.ratio(times), times),
            ]
        rows.append((as_of, tuple(line)))
    return Table("Fine-tunes against their family's base", columns, tuple(rows))


def verbosity(answers: Answers) -> Table:
    columns = cells.columns(
        "Task",
        "Model",
        "#Tokens per answer",
        "95 % interval",
        "#J per answer",
        "#J per correct answer",
        "#Score",
        "Suite, machine and method",
    )
    rows = []
    for row in answers["verbosity"]:
        low, high = row["tokens_out_per_request_low"], row["tokens_out_per_request_high"]
        line = (
            Cell(row["task"], row["task"]),
            Cell(row["model"], row["model"]),
            cells.figure(row["tokens_out_per_request"]),
            Cell(formats.interval(low, high, "one document").strip("()"), low),
            cells.figure(row["joules_per_request"]),
            cells.figure(row["joules_per_correct"], row["joules_per_correct_reason"]),
            Cell(formats.points(row["score"]), row["score"]),
            Cell(f"{row['suite']}, {cells.machine(row)}; {cells.method(row)}", row["comparability_key"]),
        )
        rows.append((None, line))
    return Table("How much models write, and the energy it takes", columns, tuple(rows))


def claims(answers: Answers) -> Table:
    """A row per claim and state, with what each basis says about it."""
    columns = cells.columns("Claim", *BASES.values())
    lines: dict[tuple[Any, ...], dict[str, Row]] = {}
    own = {row["claim_id"]: row for row in answers["claims"].where(basis=MEASURED)}
    for row in answers["claims"]:
        if row["basis"] != MEASURED:
            lines.setdefault((row["claim_id"], row["as_of"]), {})[row["basis"]] = row
    if not lines:
        lines = {(claim, None): {} for claim in own}
    rows = []
    for (claim, as_of), found in lines.items():
        of = found | ({MEASURED: own[claim]} if claim in own else {})
        any_row = next(iter(of.values()))
        what = (("Effect", str(any_row["definition"])), ("Rule", str(any_row["rule"])))
        line = [Cell(f"({claim}) {any_row['statement']}", claim, details=what)]
        line += [_verdict(of.get(basis)) for basis in BASES]
        rows.append((as_of, tuple(line)))
    return Table("The study's claims on each basis", columns, tuple(rows))


def _verdict(row: Row | None) -> Cell:
    if row is None:
        return Cell("no data yet")
    effect = ""
    if row["effect"] is not None and row["verdict_code"] != UNDETERMINED:
        effect = formats.effect(row["effect_unit"], row["effect"], row["effect_low"], row["effect_high"])
    details = [
        ("Why", row["reason"]),
        ("Based on", f"{row['n_a']:,} {row['n_a_counts']}; {row['n_b']:,} {row['n_b_counts']}"),
        ("What else differs", row["confounders"]),
    ]
    if row["evidence_through"]:
        details.append(("Data through", row["evidence_through"]))
    kept = tuple((name, str(value)) for name, value in details if value)
    return Cell(effect, row["verdict"], verdict=Verdict.of(row), details=kept)


def nights(answers: Answers) -> Table:
    columns = cells.columns(
        "Night",
        "Machine",
        "Model",
        "#Runs",
        *(f"#{phase.capitalize()}" for phase in PHASES),
        "#All",
        "#CO₂e",
        "Energy obtained by",
        "Control",
    )
    rows = []
    for row in answers["nights"]:
        excluded = f", {row['runs_excluded']} excluded" if row["runs_excluded"] else ""
        reason = row["energy_reason"] and f"total not known: {row['energy_reason']}"
        missing = {phase: row[f"{phase}_windows_without_energy"] for phase in PHASES}
        lacking = formats.without(missing, row["duration_without_energy_s"])
        energy = "; ".join(filter(None, (row["energy_methods"], reason))) or formats.NOT_KNOWN
        line = (
            Cell(str(row["night"]), row["night"]),
            Cell(row["machine"], row["machine"]),
            Cell(row["model"] or "model not landed", row["model"]),
            Cell(f"{row['runs']}{excluded}", row["runs"]),
            *(_known(row[f"{phase}_known_kwh"], _windows(count)) for phase, count in missing.items()),
            _known(row["energy_known_kwh"], lacking),
            cells.mass(row["emissions_known_kg"]),
            Cell(energy, row["energy_methods"]),
            Cell(f"{CONTROL[row['control_flag']]}: {row['control_reason']}", row["control_flag"]),
        )
        rows.append((None, line))
    return Table("Every night's energy by phase", columns, tuple(rows))


def _windows(missing: int) -> str:
    return f"without {missing} window{'s' if missing > 1 else ''}" if missing else ""


def _known(kwh: float | None, lacking: str) -> Cell:
    """An energy, and the windows missing from it."""
    return Cell(formats.energy(kwh) + (f" {lacking}" if kwh is not None and lacking else ""), kwh)


def methods(answers: Answers) -> Table:
    columns = cells.columns(
        "Basis",
        "Energy obtained by",
        "Boundary",
        "Valid for",
        "#Models",
        "#With energy",
        "#With interval",
        "What is missing",
        "Comparability key",
    )
    rows = []
    for row in answers["methods"]:
        missing = {"energy": row["missing_reasons"], "interval": row["interval_reasons"]}
        line = (
            Cell(f"{BASES[row['basis']]}: {row['suite']}", row["basis"]),
            Cell(row["energy_method"] or formats.NOT_KNOWN, row["energy_method"]),
            Cell(row["boundary"] or formats.NOT_KNOWN, row["boundary"]),
            Cell(_valid_for(row), row["energy_valid_for"]),
            cells.figure(row["models"]),
            cells.figure(row["with_energy"]),
            cells.figure(row["with_interval"]),
            Cell("; ".join(f"no {what}: {why}" for what, why in missing.items() if why)),
            Cell(row["comparability_key"], row["comparability_key"]),
        )
        rows.append((row["as_of"], line))
    return Table("How each energy was obtained", columns, tuple(rows))


def _valid_for(row: Row) -> str:
    """The page shows energies as metered; the calibration factor is given next to them."""
    if row["calibration_factor"] is None:
        return row["energy_valid_for"] or ""
    return (
        f"{row['energy_valid_for']}, times {formats.number(row['calibration_factor'])} (calibrated; shown as metered)"
    )


def _state(row: Row) -> date | None:
    return None if row["basis"] == MEASURED else row["as_of"]


def _bucket_order(answers: Answers, bucket: str) -> int:
    return next((row["bucket_order"] for row in answers["sizes"] if row["bucket"] == bucket), 99)
