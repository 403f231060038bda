"""How much of each question was asked where not everything had to be: the section's table, and what its notes say.

Belongs here: putting into words what is known of a question, one sentence per interval. An interval is about quality
(the documents are a sample of such questions) or about the full run (its documents are all there are), never both.
"""

from __future__ import annotations

from orchestration.report import cells, formats
from orchestration.report.cells import Cell, Table
from orchestration.report.findings import SUITE, Answers
from orchestration.report.queries import Row

# Why no more was asked, by the stop's reason; None: the run was killed before it could say.
STOPPED = {
    "claim": "decided",
    "given_up": "the rest would show a difference with a chance below 10 %",
    "width": "the score is known well enough",
    "all": "everything was asked",
    "budget": "interrupted; the rest is due",
    None: "interrupted; the rest is due",
}
EXAGGERATES = (
    "An early stop exaggerates a difference: where a true difference of 5 points was claimed early in 200 documents, "
    "about 10 points were seen. Quote the interval, not the difference."
)


def is_any(answers: Answers) -> bool:
    """Whether a question was looked at before everything was asked."""
    return bool(answers["asked"])


def is_any_part(answers: Answers) -> bool:
    """Whether a question was not asked completely."""
    return any(not row["is_complete"] for row in answers["asked"])


def has_difference(answers: Answers) -> bool:
    """Whether a question was compared with a reference."""
    return any(row["score_delta"] is not None for row in answers["asked"])


def notes(answers: Answers) -> tuple[str, ...]:
    found: tuple[str, ...] = (EXAGGERATES,) if answers["asked"].where(stop_reason="claim") else ()
    parts = answers["asked"].where(is_complete=False, scope="task")
    known = [row for row in parts if row["joules_saved"] is not None]
    if known:
        methods = "; ".join(sorted({row["joules_saved_method"] for row in known}))
        joules = formats.joules(sum(row["joules_saved"] for row in known))
        less = f" without {len(parts) - len(known)} of {len(parts)} tasks" if len(known) < len(parts) else ""
        found += (f"Stopping early saved about {joules}{less}. That is an estimate: {methods}.",)
    return found


def table(answers: Answers) -> Table:
    columns = cells.columns(
        "Model",
        "Against",
        "Task",
        "#Asked",
        "Stopped because",
        "Score is",
        "Such questions in general",
        "The full run",
        "#Energy saved, estimate",
        "Machine",
    )
    rows = []
    for row in answers["asked"]:
        share = row["documents_asked"] / row["documents_total"]
        line = (
            Cell(row["model"], row["model"]),
            Cell(row["reference"] or "", row["reference"]),
            Cell(task(row), task(row)),
            Cell(documents(row), share, share=share),
            Cell(STOPPED[row["stop_reason"]], row["stop_reason"]),
            Cell(verdict(row), row["score_verdict"]),
            Cell(_quality(row), row["score_delta_low"]),
            Cell(_full_run(row), row["full_delta_low"]),
            Cell(_saved(row), row["joules_saved"]),
            Cell(cells.machine(row), row["comparability_key"]),
        )
        rows.append((None, line))
    return Table("How much of each question was asked, and what is known of it", columns, tuple(rows))


def task(row: Row) -> str:
    return f"all of {row['suite']}" if row["scope"] == SUITE else str(row["task"])


def documents(row: Row) -> str:
    return f"{row['documents_asked']:,} of {row['documents_total']:,}"


def verdict(row: Row) -> str:
    """What the comparison shows, and how sure that is; the score where nothing is compared."""
    if not _is_compared(row):
        return formats.points(row["score_points"])
    p_value = row["score_p_adjusted"]
    how_sure = f" (p = {formats.number(p_value)})" if p_value is not None else ""
    return f"{row['score_verdict']}{how_sure}"


def _is_compared(row: Row) -> bool:
    """Whether it was asked to know which of two models is better."""
    return row["score_verdict"] is not None and row["stop_reason"] != "width"


def _quality(row: Row) -> str:
    """What is known of such questions in general."""
    if row["score_delta_low"] is not None:
        return f"On such questions it scores {_between(row['score_delta_low'], row['score_delta_high'])}."
    if not _is_compared(row) and row["score_points_low"] is not None:
        return f"On such questions it scores {_interval(row['score_points_low'], row['score_points_high'], 'points')}."
    return str(row["score_interval_reason"] or formats.NOT_KNOWN)


def _full_run(row: Row) -> str:
    """What is known of the score that the full run has; empty where nothing is, as for a suite."""
    of_all = f"With all {row['documents_total']:,} documents asked it {'has' if row['is_complete'] else 'would have'}"
    if row["full_delta_low"] is not None:
        return f"{of_all} {_between(row['full_delta_low'], row['full_delta_high'])}."
    if row["full_score_low"] is not None:
        return f"{of_all} {_interval(row['full_score_low'], row['full_score_high'], 'points')}."
    return ""


def _between(low: float, high: float) -> str:
    """A difference's interval in words: `3.0 to 12.0 points less (95 %)`."""
    if low >= 0:
        return _interval(low, high, "points more")
    if high <= 0:
        return _interval(-high, -low, "points less")
    return f"between {formats.points(-low)} points less and {formats.points(high)} points more (95\u00a0%)"


def _interval(low: float, high: float, unit: str) -> str:
    """`3.0 to 12.0 points (95 %)`; only the figure where it is known, because everything was asked."""
    if low == high:
        return f"{formats.points(low)} {unit}"
    return f"{formats.points(low)} to {formats.points(high)} {unit} (95\u00a0%)"


def _saved(row: Row) -> str:
    """Of a task; a suite's is that of its tasks together."""
    return "" if row["is_complete"] or row["scope"] == SUITE else formats.joules(row["joules_saved"])
