"""How the verbs show plans and results to a person."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from evaluators.plan import PlannedRun

# In a pipe, lines are not wrapped.
_PIPED_WIDTH = 400


def console(*, stderr: bool = False) -> Console:
    terminal = Console(stderr=stderr)
    return terminal if terminal.is_terminal else Console(stderr=stderr, width=_PIPED_WIDTH)


def plan_table(planned: Iterable[PlannedRun]) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name, style in (("model", "bold"), ("suite", ""), ("due", ""), ("about", ""), ("kWh", ""), ("why", "")):
        table.add_column(name, style=style, overflow="fold")
    for run in planned:
        energy = "" if not run.due or run.expected_energy_kwh is None else f"{run.expected_energy_kwh:.2g}"
        table.add_row(run.model, run.suite, "yes" if run.due else "no", duration(run), energy, run.reason)
    return table


def duration(run: PlannedRun) -> str:
    """The expected duration in words; empty for what is not due, `?` if it is not known."""
    if not run.due:
        return ""
    return "?" if run.expected_duration_s is None else f"{max(run.expected_duration_s / 60, 0.1):.1f} min"
