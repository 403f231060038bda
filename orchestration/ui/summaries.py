"""A run's summary as Dagster's pages show it: figures, tables and a bar chart in Markdown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import dagster as dg

from evaluators.plan import PlannedRun
from evaluators.summary import RunSummary


def run_metadata(planned: Sequence[PlannedRun], summaries: Sequence[RunSummary]) -> dict[str, dg.MetadataValue]:
    """What was due for a model, and the result."""
    plan_rows = [[run.suite, "due" if run.due else "not due", run.reason] for run in planned]
    metadata: dict[str, dg.MetadataValue] = {
        "plan": dg.MetadataValue.md(markdown_table(["suite", "", "why"], plan_rows)),
    }
    if not summaries:
        return metadata
    metadata |= {
        "scores": dg.MetadataValue.md(scores_table(summaries)),
        "duration_s": dg.MetadataValue.float(round(sum(summary.duration_s for summary in summaries), 1)),
        "run_ids": dg.MetadataValue.text(", ".join(summary.run_id for summary in summaries if summary.run_id)),
        "over_budget": dg.MetadataValue.bool(any(summary.over_budget for summary in summaries)),
    }
    if notes := [f"{summary.suite}: {summary.budget_note}" for summary in summaries if summary.budget_note]:
        metadata["budget_notes"] = dg.MetadataValue.text("; ".join(notes))
    if any(summary.tasks for summary in summaries):
        metadata["energy_by_task"] = dg.MetadataValue.md(energy_chart(summaries))
    energies = [summary.energy_kwh for summary in summaries if summary.energy_kwh is not None]
    if len(energies) == len(summaries):
        metadata["energy_kwh"] = dg.MetadataValue.float(float(f"{sum(energies):.6g}"))
    return metadata


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def scores_table(summaries: Sequence[RunSummary]) -> str:
    """One row per task, including failed and reused ones."""
    rows: list[list[str]] = []
    for summary in summaries:
        for task in summary.tasks:
            # no-break spaces: Dagster's narrow tables would wrap between the parts
            score = f"{task.score:.3f}" + (f"\u00a0±\u00a0{task.stderr:.3f}" if task.stderr is not None else "")
            tokens = f"{task.tokens_generated / task.documents:.1f}" if task.documents else ""
            energy = [_watt_hours(task.energy_kwh), task.energy_method]
            rows.append([task.name, task.metric, score, *energy, f"{task.duration_s:.1f}", tokens, task.computed])
        rows += [[name, "", "evaluated before", *[""] * 5] for name in summary.reused]
        rows += [[name, "", f"failed: {reason}", *[""] * 5] for name, reason in summary.failures.items()]
    header = ["task", "metric", "score", "Wh", "method", "s", "tokens out per document", "tokens computed"]
    return markdown_table(header, rows)


def energy_chart(summaries: Sequence[RunSummary]) -> str:
    """A bar chart of each task's energy: an SVG inside Markdown, so that no file has to be served."""
    tasks = [(t.name, t.energy_kwh) for s in summaries for t in s.tasks]
    most = max((energy for _, energy in tasks if energy is not None), default=0.0)
    bars = []
    for number, (name, energy) in enumerate(tasks):
        y, width = 22 * number, 300 * (energy or 0.0) / most if most else 0
        bars.append(
            f'<text x="195" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="200" y="{y + 3}" width="{width:.1f}" height="16" fill="#2a6f97"/>'
            f'<text x="{205 + width:.1f}" y="{y + 15}">{_watt_hours(energy)} Wh</text>'
        )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="{22 * len(tasks)}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(bars)}</svg>'
    )
    return f"![energy of each task](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _watt_hours(energy_kwh: float | None) -> str:
    return "not known" if energy_kwh is None else f"{energy_kwh * 1000:#.3g}"
