"""The published results of a night, as `evalwatt run` prints them. Reads only published marts."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from evaluators.energy import quality
from orchestration.home import Home
from orchestration.report import asked, queries
from orchestration.warehouse.published import connect

Row = Mapping[str, Any]

_MODELS = """
    select model_id, suite, score, score_reason, energy_kwh, energy_known_kwh, tasks_without_energy, energy_method,
        boundary, energy_reason, energy_flags, joules_per_correct, joules_per_correct_gpu, joules_per_correct_reason,
        tokens_out_per_request
    from marts.mart_model_efficiency
    where basis = 'measured' and is_current
    order by suite, comparability_key, score desc nulls last
"""
_DELTAS = """
    select finetuned_model_id, base_model_id, suite, scope, tasks_paired, tasks_planned, tasks_compared, score_delta,
        score_delta_low, score_delta_high, energy_ratio, tokens_out_ratio, joules_per_correct_ratio, score_verdict,
        score_interval_reason, score_p_adjusted, verdict, verdict_reason,
        scope = 'known_tasks'
        or count(*) over (partition by comparability_key, finetuned_model_key, base_model_key) = 1 as says_energy
    from marts.mart_base_vs_finetuned_deltas
    where basis = 'measured' and is_complete and scope in ('suite', 'known_tasks')
    order by finetuned_model_id, base_model_id, suite, comparability_key, scope = 'known_tasks'
"""


def show_published(home: Home, console: Console, report: Path | None) -> None:
    """Print the models, the fine-tunes against their bases, what was asked in part, then the verdicts, the page and an
    example query."""
    with connect(home) as connection:
        models = _rows(connection, _MODELS)
        deltas = _rows(connection, _DELTAS)
        parts = [row for row in _rows(connection, queries.text("asked")) if not row["is_complete"]]
        (newest_state,) = connection.execute("select max(as_of) from marts.fct_leaderboard_evaluations").fetchall()[0]
    notes, verdicts = _print_models(models, console), list[str]()
    if deltas:
        console.print()
        verdicts = _print_deltas(deltas, console)
    if parts:
        console.print()
        _print_parts(parts, console)
    notes += explanations(models)
    if newest_state is None:
        notes += ["Leaderboard: no state imported yet; `evalwatt import-leaderboard hub` imports its newest state"]
    lines = [*notes, "", *verdicts] if verdicts else notes
    lines += [f"Report:    {report}"] if report is not None else []
    lines += [f'Query:     {_command()} sql "select * from marts.mart_model_efficiency"']
    console.print("\n" + "\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _command() -> str:
    """`evalwatt` as it can be typed here: `make` runs it from the virtual environment, outside the search path."""
    own, found = Path(sys.executable).with_name("evalwatt"), shutil.which("evalwatt")
    if (found is not None and Path(found).samefile(own)) or not own.is_file():
        return "evalwatt"
    return shlex.quote(str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own))


def explanations(models: Sequence[Row]) -> list[str]:
    """Per flag that keeps a model's energy unknown, one line: what it means and what to do."""
    doubtful = [row["energy_flags"] for row in models if row["energy_kwh"] is None and row["energy_flags"] is not None]
    named = {flag for flags in doubtful for flag in flags.split(",")}
    return [
        "; ".join(filter(None, (f"{flag}: {meaning}", quality.REMEDIES.get(flag))))
        for flag, meaning in quality.MEANINGS.items()
        if flag in named
    ]


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    result = connection.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _print_models(rows: Sequence[Row], console: Console) -> list[str]:
    """Prints the table; returns the lines to print below it."""
    table = _table(
        "model", "suite", "score", "kWh", "boundary (method)", "J per correct answer", "tokens out per request"
    )
    notes: dict[str, None] = {}
    for row in rows:
        energy, joules = row["energy_kwh"], row["joules_per_correct"]
        kwh, of_correct = _number(energy, ".3g"), _number(joules, ".3g")
        if energy is None and row["energy_known_kwh"] is not None:
            kwh = f"{row['energy_known_kwh']:.3g} without {row['tasks_without_energy']}"
        if joules is None and row["joules_per_correct_gpu"] is not None:
            of_correct = f"{row['joules_per_correct_gpu']:.3g} (GPU alone)"
        method = f"{row['boundary']} ({row['energy_method']})"
        tokens = _number(row["tokens_out_per_request"], ".1f")
        table.add_row(row["model_id"], row["suite"], _number(row["score"], ".1f"), kwh, method, of_correct, tokens)
        reasons = (row[f"{figure}_reason"] for figure in ("score", "energy", "joules_per_correct"))
        notes |= {f"{row['model_id']}: {reason}": None for reason in reasons if reason}
    console.print(table)
    return list(notes)


def _print_deltas(rows: Sequence[Row], console: Console) -> list[str]:
    """Prints the table; returns the lines to print below it."""
    table = _table("fine-tuned", "against", "suite", "score", "95 %", "energy", "tokens out", "J per correct answer")
    for row in rows:
        low, high = row["score_delta_low"], row["score_delta_high"]
        score = (_number(row["score_delta"], "+.1f"), "" if low is None else f"{low:+.1f} to {high:+.1f}")
        ratios = (_number(row[f"{of}_ratio"], ".3g", " x") for of in ("energy", "tokens_out", "joules_per_correct"))
        suite = row["suite"] if row["scope"] == "suite" else f"{row['suite']}, {_part(row)}"
        table.add_row(row["finetuned_model_id"], row["base_model_id"], suite, *score, *ratios)
    console.print(table)
    return [line for row in rows for line in _verdicts(row)]


def _print_parts(rows: Sequence[Row], console: Console) -> None:
    table = _table("asked in part", "against", "task", "documents", "score", "difference", "95 %", "stopped because")
    for row in rows:
        low, high = row["score_delta_low"], row["score_delta_high"]
        delta = "" if row["score_delta"] is None else f"{row['score_delta']:+.1f}"
        interval = "" if low is None else f"{low:+.1f} to {high:+.1f}"
        score = (asked.verdict(row), delta, interval)
        why = asked.STOPPED[row["stop_reason"]]
        table.add_row(row["model"], row["reference"], asked.task(row), asked.documents(row), *score, why)
    console.print(table)


def _verdicts(row: Row) -> Iterator[str]:
    """The verdict on a fine-tune's score, and on its energy per correct answer over the tasks whose energy is known."""
    pair = f"{row['finetuned_model_id']} against {row['base_model_id']}"
    if row["scope"] == "suite":
        p_value = row["score_p_adjusted"]
        how_sure = row["score_interval_reason"] if p_value is None else f"p = {p_value:.2g}"
        yield f"{pair}: score: {row['score_verdict']} ({how_sure})"
    else:
        pair = f"{pair} on {_part(row)} ({row['tasks_compared']})"
    if row["says_energy"]:
        yield f"{pair}: energy per correct answer: {row['verdict']} ({row['verdict_reason']})"


def _part(row: Row) -> str:
    return f"{row['tasks_paired']} of {row['tasks_planned']} tasks"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "not known" if value is None else f"{value:{form}}{unit}"
