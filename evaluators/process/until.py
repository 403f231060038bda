"""Asks questions look by look until their answers are known, and lands each chunk as soon as it is asked.

Belongs here: which documents are still to be asked, and when parts make a whole. Does not belong here: what a look
shows (`questions`), which questions there are (`asked`), or a run's totals (`tally`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np

from evaluators.energy import Ledger, Reading, sum_of
from evaluators.engines import Engine, TokenCounts
from evaluators.harness.asking import Asking
from evaluators.harness.interruption import Interrupted
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.metered import MeteredLM
from evaluators.harness.outcomes import Outcome
from evaluators.landing import bundles, parts, stops
from evaluators.landing.runs import loaded_record
from evaluators.process import rows
from evaluators.process.asked import Asked, PartlyAsked
from evaluators.process.questions import Look
from evaluators.process.tally import Tally, task_summary
from evaluators.records import PartEmission, Record, Stop, TaskEmission
from evaluators.spec import RunSpec
from evaluators.summary import TaskSummary

# What has to be alike in the runs that asked the parts of a task, for its energy to be the sum of theirs.
_CONDITIONS = ("machine_id", "threads", "thread_policy", "engine", "engine_version", "batch_policy", "meter", "device")


class TaskFailed(Exception):
    """A task cannot be asked any further. `windows`: the rows of what was metered and is in no part."""

    def __init__(self, why: Exception, windows: list[TaskEmission]) -> None:
        super().__init__(str(why))
        self.why = why
        self.windows = windows


class Until:
    """Asks a loaded model the questions of one run.

    `shown` shows a task with so many requests while a chunk of it is asked; `failed` is called for a task that fails,
    `evaluated` for each that is asked as far as it will be, and `say` prints a line.
    """

    def __init__(
        self,
        spec: RunSpec,
        lm: MeteredLM,
        engine: Engine,
        ledger: Ledger,
        tally: Tally,
        shown: Callable[[LoadedTask, float], AbstractContextManager[None]],
        failed: Callable[[PartlyAsked, TaskFailed], None],
        evaluated: Callable[[TaskSummary], None],
        say: Callable[[str], None],
    ) -> None:
        self._spec = spec
        self._lm = lm
        self._engine = engine
        self._ledger = ledger
        self._tally = tally
        self._shown = shown
        self._failed = failed
        self._evaluated = evaluated
        self._say = say

    def ask(self, asked: Asked) -> None:
        """Ask until a look ends the question, or everything. Raises Interrupted after landing what is known then."""
        shown, number = Look(None), -1
        with ExitStack() as kept:
            try:
                for number, look in enumerate(asked.looks):
                    for task in asked.tasks:
                        self._ask_up_to(look[task.name], task, asked, kept)
                    shown = asked.judged(number)
                    if shown.reason is not None:
                        break
            except Interrupted:
                self._land_stop(asked, number - 1, _interrupted(asked, number - 1))
                raise
            self._land_stop(asked, number, shown)

    def _ask_up_to(self, documents: int, task: PartlyAsked, asked: Asked, kept: ExitStack) -> None:
        if task.has_failed or task.is_whole:
            return
        if task.name in self._tally.failures:  # in an earlier repetition
            task.has_failed, asked.question = True, None
            return
        try:
            for places in task.missing(documents):
                self._ask_chunk(task, places, kept)
            if not task.left:
                self._land_whole(task, kept)
        except TaskFailed as failure:
            task.has_failed = True
            asked.question = None  # a suite without one of its tasks has no score, so the others are asked in full
            self._failed(task, failure)

    def _ask_chunk(self, task: PartlyAsked, places: range, kept: ExitStack) -> None:
        of = task.member
        failure: Exception | None = None
        with self._shown(of.task, len(places) / of.total):
            self._ledger.switch("scoring")
            self._engine.counted()  # resets the counts: tokens of warm-up or of a failed task are not this task's
            try:
                self._asking(task, kept).ask([of.order[place] for place in places])
            except Exception as error:  # one bad document fails its task, not the run's other tasks
                failure = error
            readings, counts = self._ledger.settle_part(), self._engine.counted()
        for reading in readings.values():
            self._tally.took(reading)
        if failure is None:
            try:
                self._land_part(task, places, readings, counts)
            except OSError:
                raise  # the disk is full or failing, so the next task would fail as well
            except Exception as error:  # answers that fit no table
                failure = error
        if failure is not None:
            run_id, windows = self._spec.run_id, {phase: sum_of([reading]) for phase, reading in readings.items()}
            raise TaskFailed(
                failure,
                [
                    rows.emission(run_id, task.name, phase, reading, repetition=task.repetition)
                    for phase, reading in windows.items()
                ],
            )

    def _land_part(
        self, task: PartlyAsked, places: range, readings: Mapping[str, Reading], counts: TokenCounts
    ) -> None:
        spec, of, asking = self._spec, task.member, task.asking
        assert asking is not None
        documents = [asking.document(of.order[place]) for place in places]
        of.scores |= {document.document_id: document.score for document in documents}
        is_binary = of.is_binary()
        found: list[Record] = [
            rows.part(
                spec.run_id,
                spec.suite.name,
                of.task,
                task.repetition,
                places,
                of.total,
                of.fingerprint,
                spec.settings.seed,
                is_binary=is_binary,
            )
        ]
        for place, document in zip(places, documents, strict=True):
            metrics = as_json(asking.metrics(document.document_id))
            found.append(
                rows.part_sample(spec.run_id, of.task, task.repetition, place, document, metrics, is_binary=is_binary)
            )
        for phase, reading in readings.items():
            is_inference = phase == "inference"
            found.append(
                rows.part_emission(
                    spec.run_id,
                    of.task.name,
                    phase,
                    reading,
                    documents if is_inference else None,
                    counts if is_inference else rows.NOT_COUNTED,
                    task.repetition,
                    places,
                )
            )
        name = bundles.part_bundle(of.evaluation, places[0], places[-1])
        task.add(parts.LandedPart(bundles.write_bundle(spec.landing, spec.run_id, name, found), places))

    def _asking(self, task: PartlyAsked, kept: ExitStack) -> Asking:
        """The task with its prompts, and with what earlier runs were answered."""
        if task.asking is None:
            asking = Asking(task.member.task, self._lm, self._engine.lm, self._spec.settings.seed)
            for sample in parts.read(task.landed).samples:
                asking.recall(rows.document_of(sample), json.loads(sample.metrics_json))
            kept.enter_context(self._engine.keeps(asking.requests))
            task.asking = asking
        return task.asking

    def _land_whole(self, task: PartlyAsked, kept: ExitStack) -> None:
        """All documents of the task are asked: land it as any other evaluation."""
        spec, of = self._spec, task.member
        try:
            outcome = self._asking(task, kept).outcome()
            if len(outcome.documents) != of.total:
                raise ValueError(f"{len(outcome.documents)} of {of.total} documents have answers")
            summary, windows = self._summed(task, outcome)
            results = rows.results(
                spec.run_id, spec.suite.name, of.task, task.repetition, outcome, of.fingerprint, spec.settings.seed
            )
            found = [*results, *rows.samples(spec.run_id, of.task, task.repetition, outcome), *windows]
            bundles.write_bundle(spec.landing, spec.run_id, of.evaluation, found)
        except OSError:
            raise
        except Exception as error:
            raise TaskFailed(error, []) from error  # its energy is in its parts
        task.is_whole = True
        self._evaluated(summary)

    def _land_stop(self, asked: Asked, number: int, shown: Look) -> None:
        """Land why no more is asked. A question that was never looked at has no stop."""
        spec, windows = self._spec, list[TaskEmission]()
        for task in asked.tasks:
            if task.asking is not None and task.landed and not task.is_whole and not task.has_failed:
                try:
                    summary, of_task = self._summed(task, task.asking.outcome())
                except Exception as error:
                    task.has_failed, asked.question = True, None
                    self._failed(task, TaskFailed(error, []))
                    continue
                windows += of_task
                self._evaluated(dataclasses.replace(summary, documents_total=task.member.total))
        question = asked.question
        if question is None or shown.reason is None or number < 0:
            return
        found = question.stops(spec.run_id, spec.suite.name, asked.repetition, number, shown)
        bundles.write_bundle(spec.landing, spec.run_id, bundles.stop_bundle(asked.key), [*found, *windows])
        if asked.repetition == 1:
            self._say(f"{question.task or spec.suite.name}: {stops.finding(_whole(found))}")

    def _summed(self, task: PartlyAsked, outcome: Outcome) -> tuple[TaskSummary, list[TaskEmission]]:
        """The task as far as it is asked, by this run and earlier ones."""
        emissions = parts.read(task.landed).emissions
        of_phase: dict[str, list[PartEmission]] = {}
        for row in emissions:
            of_phase.setdefault(row.phase, []).append(row)
        readings = {phase: sum_of([rows.reading_of(row) for row in of]) for phase, of in of_phase.items()}
        if not self._is_alike(task):
            readings = {phase: _unknown(reading) for phase, reading in readings.items()}
        counts = _sum_of_counts(of_phase["inference"])
        windows = [
            rows.emission(
                self._spec.run_id,
                task.name,
                phase,
                reading,
                outcome if phase == "inference" else None,
                counts if phase == "inference" else rows.NOT_COUNTED,
                task.repetition,
                is_sum_of_parts=True,
            )
            for phase, reading in readings.items()
        ]
        return task_summary(task.member.task, task.repetition, outcome, readings["inference"], counts), windows

    def _is_alike(self, task: PartlyAsked) -> bool:
        """Whether all parts were asked on the same machine in the same way, and no document twice."""
        counting = set(parts.asked(task.landed).values())
        if sum(len(part.places) for part in counting) > len({place for part in counting for place in part.places}):
            return False
        runs = {part.run_id for part in task.landed}
        records = [loaded_record(self._spec.landing / run_id) for run_id in sorted(runs)]
        conditions = {
            None if record is None else tuple(getattr(record, name) for name in _CONDITIONS) for record in records
        }
        return len(conditions) == 1 and None not in conditions


def _interrupted(asked: Asked, number: int) -> Look:
    """What is known at the last look of a question that is interrupted; what was shown before stays shown."""
    known = Look(None) if asked.question is None or number < 0 else asked.question.look(number)
    return Look("budget", known.verdict if known.reason == "claim" else None, known.chance)


def _whole(found: Iterable[Stop]) -> Stop:
    """The question's own stop among those of its tasks."""
    return min(found, key=lambda stop: stop.task)


def _unknown(reading: Reading) -> Reading:
    return dataclasses.replace(
        reading,
        cpu_energy_kwh=None,
        gpu_energy_kwh=None,
        ram_energy_kwh=None,
        flags=tuple(sorted({*reading.flags, "mixed_conditions"})),
    )


def _sum_of_counts(of: Iterable[PartEmission]) -> TokenCounts:
    """Tokens of all parts; None where one's are unknown."""
    parts_of = list(of)

    def total(name: str) -> int | None:
        values = [getattr(row, f"tokens_{name}") for row in parts_of]
        return None if None in values else sum(values)

    return TokenCounts(total("computed"), total("padding"), total("unshared"), total("distinct"))


def as_json(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """What lm-eval has for a document, as a part has it."""
    for value in (value for of_filter in metrics.values() for value in of_filter.values()):
        if isinstance(value, Mapping) and any(not isinstance(key, str) for key in value):
            raise TypeError("a metric of a document has keys that are no texts, which cannot be landed")
    return json.dumps(metrics, default=_plain)


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's, which JSON keeps exactly."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a metric of a document is {type(value).__name__}, which cannot be landed")
