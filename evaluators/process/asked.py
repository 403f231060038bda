"""The questions that a run asks in chunks, with what is landed of their answers already.

Belongs here: which tasks are judged together, with which reference, and why others are asked in full. Does not belong
here: asking (`until`), what a look shows (`questions`), or whether a stop is enough (`plan_until`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evaluators import plan_until
from evaluators.catalogue.fields import DECIDED, width_of
from evaluators.harness.asking import Asking, document_hashes
from evaluators.harness.lm_eval_tasks import LoadedTask
from evaluators.harness.order import asking_order
from evaluators.landing import parts, stops
from evaluators.landing.parts import LandedPart
from evaluators.landing.runs import PlannedTask
from evaluators.plan_until import Landed
from evaluators.process.compared import Member, Side
from evaluators.process.provenance import ModelFacts
from evaluators.process.questions import Look, Question, SuiteQuestion, TaskQuestion, Terms, WidthQuestion
from evaluators.spec import RunSpec
from evaluators.statistics import looks


@dataclass
class PartlyAsked:
    """A task that is asked in chunks: those of earlier runs, and those of this one. Places are those of the order in
    which its documents are asked."""

    member: Member
    repetition: int
    is_whole: bool  # it is landed as a whole
    landed: list[LandedPart] = field(default_factory=list)
    asking: Asking | None = None  # once a chunk is asked
    has_failed: bool = False

    @property
    def name(self) -> str:
        return self.member.task.name

    @property
    def left(self) -> int:
        """How many documents are not asked yet."""
        return self.member.total - len(self._places())

    def add(self, part: LandedPart) -> None:
        self.landed.append(part)

    def missing(self, documents: int) -> Iterator[range]:
        """The places that are not asked yet among the first ones, in consecutive ranges."""
        asked = self._places()
        missing = [place for place in range(documents) if place not in asked]
        for _, run in itertools.groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
            places = [place for _, place in run]
            yield range(places[0], places[-1] + 1)

    def _places(self) -> set[int]:
        return {place for part in self.landed for place in part.places}


@dataclass
class Asked:
    """Tasks that are asked in chunks together. `question` is None where everything is asked whatever the answers are,
    `key` the name of the question, and `stops_early` says whether a look may end it."""

    tasks: Sequence[PartlyAsked]
    repetition: int
    question: Question | None
    key: str
    stops_early: bool
    is_over: bool = False  # this run has asked it

    @property
    def looks(self) -> Sequence[Mapping[str, int]]:
        """Documents asked of each task by each look; the last has all."""
        if self.question is not None:
            return self.question.looks
        largest = max(task.member.total for task in self.tasks)
        return [{task.name: min(asked, task.member.total) for task in self.tasks} for asked in looks.of_task(largest)]

    def judged(self, number: int) -> Look:
        """What a look shows, where it may end the question or everything is asked."""
        is_last = number == len(self.looks) - 1
        if self.question is None or not (self.stops_early or is_last):
            return Look(None)
        look = self.question.look(number)
        return replace(look, reason="all") if is_last and look.reason is not None else look


def landed_with(
    evaluations: Mapping[str, str], spec: RunSpec, excluded: Collection[str], is_recent: Callable[[str], bool]
) -> Landed:
    """These complete evaluations, with the parts and stops of runs that are recent enough."""
    return Landed(
        evaluations,
        {
            name: [part for part in of if is_recent(part.run_id)]
            for name, of in parts.landed(spec.landing, excluded).items()
        },
        {
            key: [path for path in of if is_recent(path.parent.name)]
            for key, of in stops.landed(spec.landing, excluded).items()
        },
    )


class Asker:
    """Makes the questions of a run. `landed`: what counts, of the model itself only what need not be asked again;
    `say` gets the reason why something is asked in full."""

    def __init__(self, spec: RunSpec, model: ModelFacts, landed: Landed, say: Callable[[str], None]) -> None:
        self._spec = spec
        self._model = model
        self._landed = landed
        self._say = say

    def questions(
        self, tasks: Sequence[LoadedTask], planned: Mapping[str, PlannedTask], names: Sequence[Mapping[str, str]]
    ) -> dict[str, Asked]:
        """The questions that the tasks' evaluations belong to, by the evaluations' names; an evaluation that is in none
        is asked in one go. `names`: of each repetition's evaluations, by task."""
        loaded = {task.name: task for task in tasks}
        found: dict[str, Asked] = {}
        for number, of_tasks in enumerate(names, start=1):
            for asked in self._of_repetition(loaded, planned, number, of_tasks):
                found |= {task.member.evaluation: asked for task in asked.tasks}
        return found

    def _of_repetition(
        self,
        loaded: Mapping[str, LoadedTask],
        planned: Mapping[str, PlannedTask],
        repetition: int,
        names: Mapping[str, str],
    ) -> Iterator[Asked]:
        left = dict(loaded)
        asked_for = [] if self._spec.complete else list(plan_until.questions(self._spec.suite, planned))
        stopped = [plan_until.Question("", DECIDED, planned)]
        stopped += [plan_until.Question(name, DECIDED, {name: task}) for name, task in planned.items()]
        for question, stops_early in [*((of, True) for of in asked_for), *((of, False) for of in stopped)]:
            if not question.tasks.keys() <= left.keys():  # one of the suite's tasks cannot be evaluated
                continue
            key = plan_until.key(question, names)
            if not stops_early and not self._landed.stops.get(key):
                continue
            tasks = [self._task(loaded[task], repetition, names[task]) for task in question.tasks]
            members = [task.member for task in tasks]
            made = self._made(question, members, repetition) if stops_early else self._as_stopped(key, members)
            if made is not None:
                yield Asked(tasks, repetition, made, key, stops_early)
                left = {name: task for name, task in left.items() if name not in question.tasks}
        for name, task in left.items():
            if self._landed.parts.get(names[name]) and names[name] not in self._landed.evaluations:
                yield Asked(
                    [self._task(task, repetition, names[name])], repetition, None, names[name], stops_early=False
                )

    def _made(self, question: plan_until.Question, members: Sequence[Member], repetition: int) -> Question | None:
        """The question with its reference; None where everything is asked because nothing can be decided."""
        spec, width = self._spec, width_of(question.until)
        reference = spec.reference
        if reference is not None:
            for member in members:
                name = reference.evaluations.get(member.task.name)
                run_id = self._landed.evaluations.get(name or "")
                member.side = None if name is None or run_id is None else Side.read(spec.landing, run_id, name)
        misfits = {m.task.name: why for m in members if (why := m.misfit(spec.settings.seed)) is not None}
        if width is not None:
            if members[0].task.shares_passages:
                self._say_why(
                    question, repetition, "its documents share passages, so that they are no sample one by one"
                )
                return None
            for member in members:
                member.side = None if member.task.name in misfits else member.side
            compared = members[0].side is not None and reference is not None
            terms = Terms(
                "width",
                width,
                None,
                spec.suite.compare_with if compared else None,
                reference.model if compared and reference is not None else None,
            )
            return WidthQuestion(question.task, members, terms)
        if reference is None or not reference.evaluations:
            return None  # the plan has said why
        why_not = "; ".join(f"{task}: {why}" for task, why in misfits.items())
        if not why_not and not any(member.is_walked and member.task.weight > 0 for member in members):
            is_shared = any(member.task.shares_passages for member in members)
            why_not = "its documents share passages" if is_shared else "no answer is right or wrong by itself"
        if why_not:
            self._say_why(question, repetition, why_not)
            return None
        terms = Terms("decided", None, spec.suite.margin_points, spec.suite.compare_with, reference.model)
        kind = TaskQuestion if question.task else SuiteQuestion
        return kind(question.task, members, terms)

    def _say_why(self, question: plan_until.Question, repetition: int, why: str) -> None:
        if repetition == 1:
            self._say(f"{question.task or self._spec.suite.name}: asked in full: {why}")

    def _as_stopped(self, key: str, members: Sequence[Member]) -> Question | None:
        """The question that was stopped before, with the reference that it had then; None where that does not count any
        more, so that the answers can be compared with nothing."""
        found = [stop for path in self._landed.stops[key] if (stop := stops.read(path)) is not None]
        if not found:
            return None
        stop = found[-1]
        sides = {task: side["evaluation"] for task, side in json.loads(stop.reference_json or "{}").items()}
        for member in members:
            evaluation = sides.get(member.task.name, "")
            run_id = self._landed.evaluations.get(evaluation)
            member.side = None if run_id is None else Side.read(self._spec.landing, run_id, evaluation)
        if stop.until != "width" and any(member.side is None for member in members):
            return None
        terms = Terms(stop.until, stop.width_points, stop.margin_points, stop.compare_with, stop.reference_model_id)
        kind = WidthQuestion if stop.until == "width" else TaskQuestion if stop.task else SuiteQuestion
        return kind(stop.task, members, terms)

    def _task(self, task: LoadedTask, repetition: int, evaluation: str) -> PartlyAsked:
        """With what is landed of it."""
        order = asking_order(self._model.order_key(task), task.task_hash, document_hashes(task))
        member = Member(task, evaluation, self._model.fingerprint(task), order)
        run_id = self._landed.evaluations.get(evaluation)
        if run_id is not None and (side := Side.read(self._spec.landing, run_id, evaluation)) is not None:
            member.scores, member.was_whole = dict(side.scores), True
            return PartlyAsked(member, repetition, is_whole=True)
        answers = {part: parts.read([part]).samples for part in self._landed.parts.get(evaluation, ())}
        undamaged = [
            part
            for part, samples in answers.items()
            if samples and all(order[sample.place] == sample.document_id for sample in samples)
        ]
        member.scores = {sample.document_id: sample.score for part in undamaged for sample in answers[part]}
        return PartlyAsked(member, repetition, is_whole=False, landed=undamaged)
