"""Evaluate one model on one suite: prepare, idle, load, warm up, then task by task, each landed when it ends.

Belongs here: the order of phases, and what is written when. Does not belong here: how a model is fetched (`models`),
how a task is asked (`harness`), how energy is metered (`energy`), or totals (`tally`).
"""

from __future__ import annotations

import dataclasses
import json
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from evaluators import durable, engines, machine, plan_until
from evaluators.energy import OWN_TIME, Ledger, Meter, Reading, make_meter
from evaluators.engines import Engine, EngineFailed, TokenCounts
from evaluators.harness import complaints
from evaluators.harness.asking import run_task
from evaluators.harness.interruption import Interrupted, Interruption, OverBudget
from evaluators.harness.lm_eval_tasks import Harness, LoadedTask, TaskUnavailable
from evaluators.harness.metered import MeteredLM, Speed, warm_up
from evaluators.harness.outcomes import Outcome
from evaluators.landing import bundles, lifecycle, withdrawn
from evaluators.landing.decisions import excluded_runs
from evaluators.landing.runs import PlannedTask
from evaluators.models import hub_cache
from evaluators.models.checks import cannot_dequantize
from evaluators.models.sources import LocalModel, ModelUnavailable, prepare
from evaluators.process import night_budget, rows, waiting
from evaluators.process.activity import Activity
from evaluators.process.asked import Asked, Asker, landed_with
from evaluators.process.expectation import expectations, took_before
from evaluators.process.forecast import Forecast
from evaluators.process.progress import Progress
from evaluators.process.provenance import ModelFacts, as_landed, start_record
from evaluators.process.repetitions import repeat_doubtful, repeat_until_precise
from evaluators.process.tally import Tally, taken, task_summary
from evaluators.process.until import TaskFailed, Until
from evaluators.records import TaskEmission
from evaluators.redaction import redact
from evaluators.spec import RunSpec, Spent
from evaluators.summary import RunSummary, TaskSummary
from evaluators.wording import counted, duration

# Ten seconds of idle are worth it where a sensor reads the power; a model gives the same figure after one.
_IDLE_MODELLED_S = 1.0


def evaluate(
    spec: RunSpec, on_task: Callable[[TaskSummary], None] | None = None, meter: Meter | None = None
) -> RunSummary:
    """Run the spec. Failures, and an exhausted night budget, are reported in the summary and in the landing.

    `meter` None: the one in the settings. Raises Interrupted on SIGTERM and SIGINT, after landing what is finished, and
    OSError where the landing cannot be written.
    """
    run = _Run(_with_dtype(spec), on_task or (lambda task: None), meter)
    with run.interruption.watching():
        return run.go()


@dataclasses.dataclass(frozen=True, slots=True)
class _Evaluating:
    """A loaded model, ready to be asked."""

    lm: MeteredLM
    engine: Engine
    speed: Speed
    model: ModelFacts


class _Run:
    def __init__(self, spec: RunSpec, on_task: Callable[[TaskSummary], None], meter: Meter | None) -> None:
        self.spec = spec
        self.on_task = on_task
        self.meter = meter or make_meter(
            spec.settings.meter,
            country_iso_code=spec.settings.country_iso_code,
            gpu_uuid=machine.describe_device(spec.settings.device).device_uuid,
        )
        self.tally = Tally(spec)
        self.interruption = Interruption()
        self.ledger = Ledger(self.meter)
        self.watch = night_budget.Watch(spec.model.budget, self.interruption, self._spent, self.ledger.energy_now)
        self.progress = Progress(self.meter.watts_now)
        self.forecast = Forecast(self.progress.say)
        self.activity = Activity(spec.home, spec.run_id, spec.model.name, spec.suite.name)
        self.warnings = complaints.Warnings()
        self.record = start_record(spec, self.meter)

    def go(self) -> RunSummary:
        with (
            lifecycle.open_run(self.spec.landing, self.record),
            _device_lock(self.spec, self.progress, self.interruption),
            hub_cache.in_use((self.spec.model, *self.spec.lineage)),
            self.warnings.listening(),
            waiting.yielding(self.record.threads),
        ):
            self.tally.begin()
            self.activity.begin()
            try:
                with self.watch.running():
                    self._evaluate()
            except OverBudget:
                return self._end_over_budget()
            except (ModelUnavailable, EngineFailed, TaskUnavailable) as error:
                return self._end("failed", str(error))
            except Interrupted as error:
                self._end("interrupted", str(error))
                raise
            except OSError as error:  # where the disk is full, landing the end raises as well
                return self._end("failed", str(error))
            except Exception as error:
                traceback.print_exc()  # unexpected: a developer needs more than a sentence
                return self._end("failed", f"{type(error).__name__}: {error}")
            finally:
                self.activity.close()
                self.progress.stop()
                self._pass_on(self.spec.model.name)
                self.meter.close()
            if failures := self.tally.failures:
                return self._end("failed", f"{len(failures)} task(s) failed: {', '.join(failures)}")
            return self._end("completed", None)

    def _evaluate(self) -> None:
        spec, tally = self.spec, self.tally
        import torch

        torch.set_num_threads(self.record.threads)
        with self.interruption.at_once():
            local = prepare(spec.model, {e.name: e for e in spec.lineage}, spec.home, spec.root, self.progress.say)
            harness = Harness(spec.suite, spec.root, spec.home / "models" / "nltk_data")
            tasks, failures = harness.load(spec.model.chat_template)
        self._pass_on(spec.suite.name)
        tally.failures = {task: redact(reason) for task, reason in failures.items()}
        facts = ModelFacts(spec, local)
        tally.failures |= {task: redact(reason) for task, reason in facts.refused(tasks).items()}
        tasks = [task for task in tasks if task.name not in tally.failures]
        # Once for all uses below: these functions read the whole landing.
        excluded = excluded_runs(spec.landing)
        landed = withdrawn.counted(spec.landing, excluded)
        model, own, why = as_landed(facts, landed)
        self.record = dataclasses.replace(self.record, model_key=model.key)
        tally.planned = {task.name: _plan_of(task, model, spec.suite.repetitions) for task in tasks}
        tally.planned |= {name: {"evaluation": "", "weight": 0.0} for name in tally.failures}
        self._write_tasks_file()
        numbers = range(1, spec.suite.repetitions + 1)
        evaluations = [{task.name: _bundle(task, model, number) for task in tasks} for number in numbers]
        names = {name for of in evaluations for name in of.values()}
        kept = {name: run_id for name, run_id in own.items() if name in names and self._is_recent(run_id)}
        others = {name: run_id for name, run_id in landed.items() if name not in names}
        landed_here = landed_with(others | kept, spec, excluded, self._is_recent)
        done = set(landed_here.evaluations)
        if plan_until.goes_by_until(spec.suite) and not spec.complete:
            done |= plan_until.answered(spec.suite, tally.planned, spec.reference, landed_here).runs.keys()
        due = [(n, task) for n in numbers for task in tasks if evaluations[n - 1][task.name] not in done]
        tally.reused = [task.name for task in tasks if all(task is not of for _, of in due)]
        for reason in dict.fromkeys(tally.failures.values()):
            failed = ", ".join(name for name, of in tally.failures.items() if of == reason)
            self.progress.say(f"{failed}: not evaluated: {reason}")
        if not due:
            return
        if why is not None and not spec.force:
            self.progress.say(f"{spec.model.name}: evaluated again: {why}")
        questions = Asker(spec, model, landed_here, self.progress.say).questions(tasks, tally.planned, evaluations)
        evaluating = self._set_up(local, model)
        self._announce([task for _, task in due], evaluating)
        for number, (repetition, task) in enumerate(due, start=1):
            asked = questions.get(_bundle(task, model, repetition))
            if asked is not None:
                self._ask_until(asked, number, len(due), evaluating)
            elif task.name not in tally.failures:
                self._one_task(task, repetition, number, len(due), evaluating)
            if repetition == spec.suite.repetitions and self._is_whole(task):
                self._repeat_doubtful(task, number, len(due), evaluating)
            if [repetition] != [following for following, _ in due[number : number + 1]]:
                self._sum_up(repetition, [task.name for _, task in due[number:]])
        if spec.until_precise is not None:
            evaluated = [task for task in tasks if task.name not in tally.reused and self._is_whole(task)]
            self._repeat_until_precise(evaluated, spec.until_precise, evaluating)

    def _is_recent(self, run_id: str) -> bool:
        """Whether what the run asked of the model need not be asked again."""
        every = self.spec.model.refresh_every
        recent = every is None or datetime.now(UTC) - bundles.run_time(run_id) < every
        return recent and not self.spec.force

    def _is_whole(self, task: LoadedTask) -> bool:
        """Whether this run has asked everything of the task. Of a part, the energy is an estimate anyway."""
        done = self.tally.of(task.name)
        return bool(done) and done[-1].documents_total is None

    def _set_up(self, local: LocalModel, model: ModelFacts) -> _Evaluating:
        """Idle, load and warm up, each in its window; lands the model and the run-level energies."""
        entry, device = self.spec.model, machine.describe_device(self.spec.settings.device)
        if (why := cannot_dequantize(local.path, device.device, entry.engine)) is not None:
            raise ModelUnavailable(f"{entry.name}: {why}")
        with self.interruption.at_once():
            engines.import_what_loads(entry.engine)
        self.ledger.switch("idle")
        with self.interruption.at_once():
            self._wait_idle()
        self.ledger.switch("load")
        with self.interruption.at_once():
            engine = engines.load(
                entry.engine, local.path, dtype=entry.dtype, device=device.device, batch_size=entry.batch_size
            )
            engine.synchronize()
        self.ledger.switch("warmup")
        with self.interruption.at_once():
            speed = warm_up(engine)
        readings = self.ledger.settle()
        self._pass_on(entry.name)
        self.record = dataclasses.replace(
            self.record,
            engine=engine.name,
            engine_reason=engine.reason,
            engine_version=engine.version,
            batch_policy=engine.batch_policy,
            **dataclasses.asdict(device),
        )
        lifecycle.note_loaded(self.spec.landing, self.record)
        windows = [self._emission("", phase, readings[phase]) for phase in ("idle", "load", "warmup")]
        bundles.write_bundle(
            self.spec.landing, self.spec.run_id, bundles.SETUP_BUNDLE, [model.record(engine), *windows]
        )
        if (note := self.watch.note()) is not None:
            self.progress.say(f"{entry.name}: {note}")
        lm = MeteredLM(engine, self.ledger, self.interruption, self._tick, self.forecast.ask)
        return _Evaluating(lm, engine, speed, model)

    def _tick(self) -> None:
        """A request is answered."""
        self.progress.tick(self.forecast.tick())
        self.activity.tick()
        self.watch.look()

    def _spent(self) -> Spent:
        """What this and earlier runs have used of the model's night budget, without open windows."""
        return self.spec.spent + self.tally.spent()

    def _wait_idle(self) -> None:
        asked_s = self.spec.settings.idle_s
        has_sensor = not {self.meter.cpu_method, self.meter.gpu_method} <= {"modelled", OWN_TIME, "absent"}
        time.sleep(asked_s if has_sensor else min(asked_s, _IDLE_MODELLED_S))

    def _announce(self, due: list[LoadedTask], evaluating: _Evaluating) -> None:
        """Announce how long the tasks will take."""
        spec = self.spec
        before = took_before(spec.landing, spec.model.name, spec.suite.name, self.record.machine_id)
        once = list({task.name: task for task in due}.values())
        expected = expectations(once, before, evaluating.speed, evaluating.lm, evaluating.engine)
        self._pass_on(spec.suite.name)
        self.forecast.announce(f"{spec.model.name} on {spec.suite.name}", expected, [task.name for task in due])

    def _sum_up(self, repetition: int, due: list[str]) -> None:
        """Print the line for a repetition of the suite, with how long the tasks that are still `due` will take."""
        if (of := self.spec.suite.repetitions) == 1:
            return
        done = [summary for summary in self.tally.summaries if summary.repetition == repetition]
        line = f"repetition {repetition} of {of}: {counted(len(done), 'task')}, {taken(done)}"
        left_s = self.forecast.left_s([task for task in due if task not in self.tally.failures])
        self.progress.say(f"{line}; about {duration(left_s)} left" if left_s else line)

    def _repeat_doubtful(self, task: LoadedTask, number: int, tasks: int, evaluating: _Evaluating) -> None:
        def again(repetition: int) -> None:
            self._one_task(task, repetition, number, tasks, evaluating)

        repeat_doubtful(task.name, self.tally, self.spec.suite.repetitions, again, self.progress.say)

    def _repeat_until_precise(
        self, tasks: list[LoadedTask], relative_half_width: float, evaluating: _Evaluating
    ) -> None:
        numbered = {task.name: (number, task) for number, task in enumerate(tasks, start=1)}

        def again(name: str, repetition: int) -> None:
            number, task = numbered[name]
            self._one_task(task, repetition, number, len(tasks), evaluating)

        repeat_for_s, say = self.spec.repeat_for_s, self.progress.say
        repeat_until_precise(list(numbered), self.tally, relative_half_width, repeat_for_s, again, say)

    def _ask_until(self, asked: Asked, number: int, tasks: int, evaluating: _Evaluating) -> None:
        """Ask a question in chunks, when the first of its tasks is due."""
        if asked.is_over:
            return
        asked.is_over = True
        Until(
            self.spec,
            evaluating.lm,
            evaluating.engine,
            self.ledger,
            self.tally,
            shown=lambda task, share: self._shown(task, share, number, tasks),
            failed=lambda task, failure: self._failed(task.member.evaluation, task.name, failure),
            evaluated=self._evaluated,
            say=self.progress.say,
        ).ask(asked)

    def _one_task(self, task: LoadedTask, repetition: int, number: int, tasks: int, evaluating: _Evaluating) -> None:
        lm, engine, model = evaluating.lm, evaluating.engine, evaluating.model
        outcome: Outcome | None = None
        failure: Exception | None = None
        with self._shown(task, 1.0, number, tasks):
            self.ledger.switch("scoring")
            engine.counted()  # resets the counts: tokens of warm-up or of a failed task are not this task's
            try:
                outcome = run_task(task, lm, engine.lm, self.spec.settings.seed)
            except Exception as error:  # one bad document fails its task, not the run's other tasks
                failure = error
            readings, counts = self.ledger.settle(), engine.counted()
            self.forecast.ended()
        emissions = [self._emission(task.name, "scoring", readings["scoring"], repetition=repetition)]
        if "inference" in readings:  # missing where a task failed before its first request
            reading = readings["inference"]
            emissions.insert(0, self._emission(task.name, "inference", reading, outcome, counts, repetition))
        spec, run_id, bundle = self.spec, self.spec.run_id, _bundle(task, model, repetition)
        if outcome is not None:
            try:
                fingerprint, seed = model.fingerprint(task), spec.settings.seed
                results = rows.results(run_id, spec.suite.name, task, repetition, outcome, fingerprint, seed)
                samples = rows.samples(run_id, task, repetition, outcome)
                bundles.write_bundle(spec.landing, run_id, bundle, [*results, *samples, *emissions])
            except OSError:
                raise  # the disk is full or failing, so the next task would fail as well
            except Exception as error:  # answers that fit no table
                failure = error
        if outcome is not None and failure is None:
            self._evaluated(task_summary(task, repetition, outcome, readings["inference"], counts))
            return
        assert failure is not None
        self._failed(bundle, task.name, TaskFailed(failure, emissions))

    @contextmanager
    def _shown(self, task: LoadedTask, share: float, number: int, tasks: int) -> Iterator[None]:
        """Show a task while this share of it is asked, unless the run was asked to end."""
        self.watch.look()
        self.interruption.check()
        requests = round(share * _request_count(task))
        self.progress.start(task.name, number, tasks, requests)
        self.activity.start(task.name, number, tasks, requests)
        self.forecast.start(task.name, requests)
        yield
        self.progress.stop()
        self._pass_on(task.name)

    def _evaluated(self, summary: TaskSummary) -> None:
        """A task is asked as far as it will be, and landed."""
        if (line := self.tally.add(summary)) is not None:
            self.progress.say(line)
        self.on_task(summary)

    def _failed(self, bundle: str, task: str, failure: TaskFailed) -> None:
        """Land the task's energy, which was used, whatever became of its answers."""
        if failure.windows:
            bundles.write_bundle(self.spec.landing, self.spec.run_id, bundles.failed_bundle(bundle), failure.windows)
        reason = self.tally.failures[task] = redact(complaints.sentence(failure.why))
        self.progress.stop()
        self.progress.say(f"{task}: failed: {reason}")

    def _pass_on(self, about: str) -> None:
        for line in self.warnings.take(about):
            self.progress.say(redact(line))

    def _emission(
        self,
        task: str,
        phase: str,
        reading: Reading,
        outcome: Outcome | None = None,
        counts: TokenCounts = rows.NOT_COUNTED,
        repetition: int = 1,
    ) -> TaskEmission:
        self.tally.took(reading)
        return rows.emission(self.spec.run_id, task, phase, reading, outcome, counts, repetition)

    def _write_tasks_file(self) -> None:
        path = self.spec.landing / self.spec.run_id / bundles.TASKS_FILE
        durable.write_durably(path, json.dumps(self.tally.planned, sort_keys=True).encode())

    def _end_over_budget(self) -> RunSummary:
        for reading in self.ledger.settle().values():  # the unfinished task's energy counts, although it has no row
            self.tally.took(reading)
        reason = self.watch.reason()
        self.progress.stop()
        self.progress.say(f"{self.spec.model.name}: {reason}")
        return self._end("interrupted", reason, over_budget=True)

    def _end(self, status: str, reason: str | None, *, over_budget: bool = False) -> RunSummary:
        reason = redact(reason) if reason is not None else None
        end = self.tally.ended(self.record, status, reason)
        summary = self.tally.summary(status, reason, over_budget=over_budget, budget_note=self.watch.note())
        content = json.dumps(dataclasses.asdict(summary), indent=1).encode()
        durable.write_durably(self.spec.landing / self.spec.run_id / bundles.SUMMARY_FILE, content)
        bundles.write_bundle(self.spec.landing, self.spec.run_id, bundles.END_BUNDLE, [end])
        return summary


def _bundle(task: LoadedTask, model: ModelFacts, repetition: int) -> str:
    return bundles.task_bundle(model.fingerprint(task), repetition)


def _plan_of(task: LoadedTask, model: ModelFacts, repetitions: int) -> PlannedTask:
    plan: PlannedTask = {"evaluation": _bundle(task, model, 1), "weight": task.weight}
    if task.group is not None:
        plan["group"] = task.group
    if task.entry.scale is not None:
        plan["scale"] = task.entry.scale
    if repetitions > 1:
        plan["repetitions"] = [_bundle(task, model, number) for number in range(2, repetitions + 1)]
    return plan


def _with_dtype(spec: RunSpec) -> RunSpec:
    """The spec with `dtype: auto` replaced by what it means here."""
    if spec.model.dtype != "auto":
        return spec
    dtype = machine.native_dtype(machine.describe_device(spec.settings.device).device)
    return spec.model_copy(update={"model": spec.model.model_copy(update={"dtype": dtype})})


@contextmanager
def _device_lock(spec: RunSpec, progress: Progress, interruption: Interruption) -> Iterator[None]:
    """One evaluation at a time on this machine: a Dagster pool's slot can leak, a file lock ends with its process."""
    path = spec.home / "locks" / "device.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.say(f"another evaluation holds {path}; waiting for it to end")
        with interruption.at_once():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _request_count(task: LoadedTask) -> int:
    """The requests that the task will send, scaled up from the few documents that were built for the estimate."""
    instances = getattr(task.task, "_instances", None) or ()  # unset where a document of the estimate is unusable
    built = {instance.doc_id for instance in instances}
    return round(len(instances) / max(len(built), 1) * task.documents)
