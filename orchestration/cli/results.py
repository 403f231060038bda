"""The published answer to a night, as `evalwatt run` shows it. Reads only what is published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluators.energy import quality
from orchestration.cli.sql import connect
from orchestration.home import Home

_MODELS = """
    select model_id, suite, score, score_reason, energy_kwh, energy_method, boundary, energy_reason,
        joules_per_correct, joules_per_correct_reason, tokens_out_per_request
    from marts.mart_model_efficiency
    where basis = 'measured' and is_current
    order by suite, comparability_key, score desc nulls last
"""
_DELTAS = """
    select finetuned_model_id, base_model_id, suite, score_delta, score_delta_low, score_delta_high, energy_ratio,
        tokens_out_ratio, joules_per_correct_ratio, score_verdict, score_interval_reason, score_p_adjusted, verdict,
        verdict_reason
    from marts.mart_base_vs_finetuned_deltas
    where basis = 'measured' and scope = 'suite'
    order by all
"""


def show_published(home: Home, console: Console) -> None:
    """Models, fine-tuned models against their bases, and where to ask more."""
    with connect(home) as connection:
        models = connection.execute(_MODELS).fetchall()
        deltas = connection.execute(_DELTAS).fetchall()
        (newest_state,) = connection.execute("select max(as_of) from marts.fct_leaderboard_evaluations").fetchall()[0]
    lines = _print_models(models, console)
    if deltas:
        console.print()
        lines += _print_deltas(deltas, console)
    lines += explanations(lines)
    if newest_state is None:
        lines += ["Leaderboard: no state of it is imported; `evalwatt import-leaderboard hub` brings its history"]
    lines += [f"Published: {home.current / 'marts.duckdb'}"]
    lines += ['Ask more:  evalwatt sql "select * from marts.mart_model_efficiency"']
    console.print("\n" + "\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def explanations(notes: Sequence[str]) -> list[str]:
    """What the flags that the notes name mean, and what to do, a line each."""
    named = [flag for flag in quality.MEANINGS if any(flag in note for note in notes)]
    return [
        "; ".join(filter(None, (f"{flag}: {quality.MEANINGS[flag]}", quality.REMEDIES.get(flag)))) for flag in named
    ]


def _print_models(rows: Sequence[tuple[Any, ...]], console: Console) -> list[str]:
    """Prints the table; returns what is to be said below it."""
    table = _table("model", "suite", "score", "kWh", "of", "J per correct answer", "tokens out per request")
    notes: dict[str, None] = {}
    for model, suite, score, why, energy, method, boundary, no_energy, joules, no_joules, tokens in rows:
        figures = [_number(score, ".1f"), _number(energy, ".3g"), f"{boundary} ({method})"]
        table.add_row(model, suite, *figures, _number(joules, ".3g"), _number(tokens, ".1f"))
        notes |= {f"{model}: {reason}": None for reason in (why, no_energy, no_joules) if reason}
    console.print(table)
    return list(notes)


def _print_deltas(rows: Sequence[tuple[Any, ...]], console: Console) -> list[str]:
    """Prints the table; returns what is to be said below it."""
    table = _table("fine-tuned", "against", "suite", "score", "95 %", "energy", "tokens out", "J per correct answer")
    for model, base, suite, delta, low, high, energy, tokens, joules, *_ in rows:
        interval = "" if low is None else f"{low:+.1f} to {high:+.1f}"
        ratios = [_number(ratio, ".3g", " x") for ratio in (energy, tokens, joules)]
        table.add_row(model, base, suite, _number(delta, "+.1f"), interval, *ratios)
    console.print(table)
    return [f"{row[0]} against {row[1]}: {words}" for row in rows for words in _verdicts(*row[-5:])]


def _verdicts(score: str, no_interval: str | None, p_value: float | None, energy: str, reason: str) -> tuple[str, str]:
    """What is said of a fine-tune's score, and of its energy per correct answer."""
    how_sure = no_interval if p_value is None else f"p = {p_value:.2g}"
    return f"score {score} ({how_sure})", f"energy per correct answer {energy}: {reason}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "not known" if value is None else f"{value:{form}}{unit}"
