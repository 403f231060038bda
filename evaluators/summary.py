"""A run's summary at its end, for people and for Dagster's metadata. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class TaskSummary:
    """One evaluated task, for people and for Dagster's metadata."""

    task: str
    metric: str
    score: float
    stderr: float | None
    documents: int
    duration_s: float
    energy_kwh: float | None
    energy_method: str
    tokens_prompt: int
    tokens_generated: int
    tokens_computed: int | None = None  # as in records.TaskEmission; older summaries lack the fields from here on
    tokens_unshared: int | None = None
    repetition: int = 1
    flags: tuple[str, ...] = ()  # doubts about the energy, as in energy.quality
    note: str | None = None  # the flags in words, with the share of other programs and their names
    documents_total: int | None = None  # of the whole question, where `documents` are a part of them

    @property
    def name(self) -> str:
        """The task, with the number of the repetition where it is not the first."""
        return self.task if self.repetition == 1 else f"{self.task} (repetition {self.repetition})"

    @property
    def computed(self) -> str:
        """`1,234 of 12,345`: tokens computed, of those that lm-eval's `hf` would forward where these are known."""
        known = [f"{n:,}" for n in (self.tokens_computed, self.tokens_unshared) if n is not None]
        return " of ".join(known) if self.tokens_computed is not None else ""


@dataclasses.dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, for people and for Dagster's metadata. `reused` tasks were evaluated by earlier runs."""

    run_id: str
    model: str
    suite: str
    status: str
    reason: str | None
    duration_s: float
    energy_kwh: float | None
    tasks: tuple[TaskSummary, ...]
    reused: tuple[str, ...]
    failures: dict[str, str]
    over_budget: bool = False  # it was asked to end because its model exceeded its night budget
    budget_note: str | None = None  # which part of the night budget could not be enforced

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunSummary:
        """The summary from what `dataclasses.asdict` and JSON made of it in the evaluator's process."""
        lists = {
            "tasks": tuple(TaskSummary(**{**task, "flags": tuple(task.get("flags", ()))}) for task in values["tasks"]),
            "reused": tuple(values["reused"]),
        }
        return cls(**{**values, **lists})

    @classmethod
    def of_none(cls, run_id: str, model: str, suite: str, reason: str, *, over_budget: bool = False) -> RunSummary:
        """The summary of a run without one of its own: it crashed or, with an empty `run_id`, never started."""
        return cls(
            run_id=run_id,
            model=model,
            suite=suite,
            status="failed",
            reason=reason,
            duration_s=0.0,
            energy_kwh=None,
            tasks=(),
            reused=(),
            failures={},
            over_budget=over_budget,
        )
