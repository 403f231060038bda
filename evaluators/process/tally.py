"""A run's totals so far: its tasks' summaries, its failures and its energies, and from them its summary and its last
record.

Belongs here: adding up. Does not belong here: when and where something is written (`run`).
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from evaluators.energy import OWN_TIME, Reading, quality
from evaluators.engines import TokenCounts
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.outcomes import Outcome
from evaluators.landing.runs import PlannedTask
from evaluators.records import EvaluationRun
from evaluators.spec import RunSpec, Spent
from evaluators.summary import RunSummary, TaskSummary
from evaluators.wording import duration


class Tally:
    """The totals of one run. Its clock starts when it is created, and again with `begin`."""

    def __init__(self, spec: RunSpec) -> None:
        self.summaries: list[TaskSummary] = []
        self.reused: list[str] = []
        self.failures: dict[str, str] = {}
        self.planned: dict[str, PlannedTask] | None = None  # unknown before the tasks are loaded
        self._spec = spec
        self._started = time.perf_counter()
        self._energies_kwh: list[float | None] = []
        self._doubts_shown: dict[str, tuple[object, ...]] = {}

    def begin(self) -> None:
        """The run has the device; waiting for it does not count."""
        self._started = time.perf_counter()

    def took(self, reading: Reading) -> None:
        """A window is settled."""
        self._energies_kwh.append(reading.energy_kwh)

    def of(self, task: str) -> list[TaskSummary]:
        """A task's evaluations by this run."""
        return [summary for summary in self.summaries if summary.task == task]

    def add(self, summary: TaskSummary) -> str | None:
        """A task is evaluated. Returns a line to show: once per task, and again where the doubts change, because
        repetitions differ only in their energy."""
        self.summaries.append(summary)
        doubts = *summary.flags, summary.energy_kwh is None
        if summary.task in self._doubts_shown and (not any(doubts) or doubts == self._doubts_shown[summary.task]):
            return None
        self._doubts_shown[summary.task] = doubts
        return (
            f"{summary.name}: {summary.metric} {summary.score:.3f}{_asked(summary)}, {taken([summary])} "
            + summary.energy_method
            + (f" ({summary.note})" if summary.note else "")
            + (f", {summary.computed} tokens computed" if summary.computed else "")
        )

    def spent(self) -> Spent:
        """What the run has used, without open windows; the energy is None where that of a window is unknown."""
        known = [energy for energy in self._energies_kwh if energy is not None]
        energy_kwh = sum(known) if len(known) == len(self._energies_kwh) else None
        return Spent(time.perf_counter() - self._started, energy_kwh)

    def ended(self, record: EvaluationRun, status: str, reason: str | None) -> EvaluationRun:
        """The run's last record."""
        return dataclasses.replace(
            record,
            status=status,
            reason=reason,
            ended_at=datetime.now(UTC),
            duration_s=self.spent().duration_s,
            tasks_planned=len(self.planned) if self.planned is not None else None,
            tasks_evaluated=len(self.summaries),
            tasks_reused=len(self.reused),
            tasks_failed=len(self.failures),
            task_evaluations_json=json.dumps(self.planned, sort_keys=True) if self.planned is not None else None,
            task_failures_json=json.dumps(self.failures, sort_keys=True) if self.failures else None,
        )

    def summary(self, status: str, reason: str | None, *, over_budget: bool, budget_note: str | None) -> RunSummary:
        """The run's summary at its end."""
        spent = self.spent()
        return RunSummary(
            run_id=self._spec.run_id,
            model=self._spec.model.name,
            suite=self._spec.suite.name,
            status=status,
            reason=reason,
            duration_s=spent.duration_s,
            energy_kwh=spent.energy_kwh if self._energies_kwh else None,
            tasks=tuple(self.summaries),
            reused=tuple(self.reused),
            failures=self.failures,
            over_budget=over_budget,
            budget_note=budget_note,
        )


def task_summary(
    task: LoadedTask, repetition: int, outcome: Outcome, reading: Reading, counts: TokenCounts
) -> TaskSummary:
    """The summary of one evaluated task. `reading`: of its inference."""
    score = next(s for s in outcome.scores if (s.metric, s.filter) == (task.metric, task.filter))
    return TaskSummary(
        task=task.name,
        metric=score.metric,
        score=score.value,
        stderr=score.stderr,
        documents=len(outcome.documents),
        duration_s=reading.duration_s,
        energy_kwh=reading.energy_kwh,
        energy_method=_method(reading),
        tokens_prompt=outcome.tokens_prompt,
        tokens_generated=outcome.tokens_generated,
        tokens_computed=counts.computed,
        tokens_unshared=counts.unshared,
        repetition=repetition,
        flags=reading.flags,
        note=quality.note(reading),
    )


def taken(summaries: Sequence[TaskSummary]) -> str:
    """What several evaluations took together: `58 s, 0.610 Wh`."""
    energies = [summary.energy_kwh for summary in summaries if summary.energy_kwh is not None]
    energy = f"{sum(energies) * 1000:.3f} Wh" if len(energies) == len(summaries) else "energy unknown"
    return f"{duration(sum(summary.duration_s for summary in summaries))}, {energy}"


def _asked(summary: TaskSummary) -> str:
    """How much of the task was asked, where it was not everything."""
    if summary.documents_total is None:
        return ""
    return f" ({summary.documents:,} of {summary.documents_total:,} documents asked)"


def _method(reading: Reading) -> str:
    """The weakest method of the boundary's components, which is also that of their sum."""
    order = ("modelled", OWN_TIME, "integrated", "measured")
    methods = {reading.cpu_method, reading.gpu_method, reading.ram_method}
    return next((method for method in order if method in methods), "absent")
