"""The plan and the outcome of landed runs, read once, for plans and reports.

Belongs here: reading a run's own files (`run.json`, `loaded.json`, `tasks.json`, `summary.json`). Does not belong here:
writing them (`lifecycle`), or whether an evaluation counts (`withdrawn`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from evaluators.landing.bundles import LOADED_FILE, RUN_FILE, RUN_ID_LENGTH, SUMMARY_FILE, TASKS_FILE, run_time
from evaluators.records import EvaluationRun, columns
from evaluators.summary import RunSummary


class PlannedTask(TypedDict):
    """A task in a run's plan: its bundle's name, empty where it could not be loaded, and its weight in the score.

    `repetitions` are the names of further bundles where the suite asks for more than one. `group` is the suite's entry
    that the task belongs to, if not its own; plans without that field gave all of a group's tasks the same weight.
    `scale` is the metric's, where the suite states it.
    """

    evaluation: str
    weight: float
    group: NotRequired[str]
    scale: NotRequired[float]
    repetitions: NotRequired[list[str]]


@dataclass(frozen=True)
class LandedRun:
    """A run as its directory shows it. Each of its files is read when it is first needed."""

    folder: Path
    start: EvaluationRun  # with the schema version of its writer

    @property
    def run_id(self) -> str:
        return self.start.run_id

    @property
    def time(self) -> datetime:
        """The time when the run was planned."""
        return run_time(self.run_id)

    @cached_property
    def tasks(self) -> dict[str, PlannedTask] | None:
        """All planned tasks; None where the run ended before they were known."""
        tasks: dict[str, PlannedTask] | None = read_json(self.folder / TASKS_FILE)
        return tasks

    @cached_property
    def summary(self) -> RunSummary | None:
        """The run's summary; None where its process did not write one."""
        return summary_in(self.folder)


def runs_by_workload(landing: Path, since: datetime | None = None) -> Mapping[tuple[str, str], list[LandedRun]]:
    """The runs of each model and suite, oldest first; with `since`, those planned from then on.

    A run with a damaged start is left out: the loader quarantines and reports it.
    """
    found: defaultdict[tuple[str, str], list[LandedRun]] = defaultdict(list)
    for path in sorted(landing.glob(f"*/{RUN_FILE}")):
        if since is not None and len(path.parent.name) == RUN_ID_LENGTH and run_time(path.parent.name) < since:
            continue
        if (start := as_started(read_json(path))) is not None:
            found[start.model_id, start.suite].append(LandedRun(path.parent, start))
    return found


def summary_in(folder: Path) -> RunSummary | None:
    """The summary of the run in `folder`; None where there is none, or it is damaged."""
    try:
        return RunSummary.from_json(read_json(folder / SUMMARY_FILE))
    except (KeyError, TypeError):
        return None


def loaded_record(folder: Path) -> EvaluationRun | None:
    """The record of the run in `folder`, after loading where it got that far; None where it is damaged."""
    return as_started(read_json(folder / LOADED_FILE) or read_json(folder / RUN_FILE))


def model_key(landing: Path, run_id: str) -> str | None:
    """The key of the model that the run loaded; None where it loaded none."""
    loaded = read_json(landing / run_id / LOADED_FILE)
    return loaded["model_key"] if loaded is not None else None


def read_json(path: Path) -> Any:
    """A run's JSON file; None where it was never written, or is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def as_started(values: Any) -> EvaluationRun | None:
    """A run's record from its file, which an earlier version may have written; None where it is not a record."""
    try:
        later = {column.name: None for column in columns(EvaluationRun) if column.since > values["schema_version"]}
        revived = later | values
        for name in ("started_at", "ended_at"):
            if revived[name] is not None:
                revived[name] = datetime.fromisoformat(revived[name]).astimezone(UTC)
        return EvaluationRun(**revived)
    except (KeyError, TypeError, ValueError):
        return None
