"""Evaluate one model on one suite: prepare, idle, load, warm up, then task by task, each landed as it ends.

Belongs here: the order of things and what is written when. How a model is fetched (`models`), how a task is asked
(`harness`) and how energy is metered (`energy`) are elsewhere.
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

from evaluators import durable, engines, machine
from evaluators.energy import OWN_TIME, Ledger, Meter, Reading, make_meter, quality
from evaluators.energy.repetitions import further_windows, reason_to_stop, spoilt_by_others
from evaluators.engines import Engine, EngineFailed, TokenCounts
from evaluators.harness import complaints
from evaluators.harness.interruption import Interrupted, Interruption, OverBudget
from evaluators.harness.lm_eval_tasks import Harness, LoadedTask, Outcome, TaskUnavailable, requests_of, run_task
from evaluators.harness.metered import MeteredLM, warm_up
from evaluators.landing import bundles, lifecycle, withdrawn
from evaluators.landing.decisions import excluded_runs
from evaluators.models import hub_cache
from evaluators.models.checks import cannot_dequantize
from evaluators.models.sources import LocalModel, ModelUnavailable, prepare
from evaluators.process import night_budget, rows, waiting
from evaluators.process.activity import Now
from evaluators.process.forecast import Expected, Forecast, expected_s
from evaluators.process.progress import Progress
from evaluators.process.provenance import ModelFacts, as_landed, start_record
from evaluators.records import TaskEmission
from evaluators.redaction import redact
from evaluators.spec import RunSpec, Spent
from evaluators.summary import RunSummary, TaskSummary
from evaluators.wording import counted, duration

# Idle power is worth ten seconds where a sensor reads it; a model of it answers the same after one.
_IDLE_MODELLED_S = 1.0
_ESTIMATE_DOCUMENTS = 4


def evaluate(
    spec: RunSpec, on_task: Callable[[TaskSummary], None] | None = None, meter: Meter | None = None
) -> RunSummary:
    """Run the spec. Failures, and a budget that is used up, end up in the summary and in the landing.

    `meter` None: the one that the settings name. Raises Interrupted on SIGTERM and SIGINT, after landing what there
    is, and OSError where the landing cannot be written.
    """
    run = _Run(_with_dtype(spec), on_task or (lambda task: None), meter)
    with run.interruption.watching():
        return run.go()


@dataclasses.dataclass(frozen=True, slots=True)
class _Evaluating:
    """A loaded model, ready to be asked."""

    lm: MeteredLM
    engine: Engine
    model: ModelFacts


class _Run:
    def __init__(self, spec: RunSpec, on_task: Callable[[TaskSummary], None], meter: Meter | None) -> None:
        self.spec = spec
        self.on_task = on_task
        self.started = time.perf_counter()
        self.meter = meter or make_meter(
            spec.settings.meter,
            country_iso_code=spec.settings.country_iso_code,
            gpu_uuid=machine.describe_device(spec.settings.device).device_uuid,
        )
        self.interruption = Interruption()
        self.ledger = Ledger(self.meter)
        self.watch = night_budget.Watch(spec.model.budget, self.interruption, self._spent, self.ledger.energy_now)
        self.progress = Progress(self.meter.watts_now)
        self.forecast = Forecast(self.progress.say)
        self.warnings = complaints.Warnings()
        self.doubts_shown: dict[str, tuple[object, ...]] = {}
        self.summaries: list[TaskSummary] = []
        self.reused: list[str] = []
        self.failures: dict[str, str] = {}
        self.planned: dict[str, lifecycle.PlannedTask] | None = None
        self.energies_kwh: list[float | None] = []
        self.record = start_record(spec, self.meter)

    def go(self) -> RunSummary:
        with (
            lifecycle.open_run(self.spec.landing, self.record),
            _device_lock(self.spec, self.progress, self.interruption),
            hub_cache.in_use((self.spec.model, *self.spec.lineage)),
            self.warnings.listening(),
            waiting.yielding(self.record.threads),
        ):
            self.started = time.perf_counter()  # waiting for the device is nobody's time
            self.now = Now(self.spec.home, self.spec.run_id, self.spec.model.name, self.spec.suite.name)
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
            except OSError as error:  # a full disk refuses the end as well, and says so by itself
                return self._end("failed", str(error))
            except Exception as error:
                traceback.print_exc()  # not foreseen: whoever mends it needs more than a sentence
                return self._end("failed", f"{type(error).__name__}: {error}")
            finally:
                self.now.close()
                self.progress.stop()
                self._pass_on(self.spec.model.name)
                self.meter.close()
            if self.failures:
                return self._end("failed", f"{len(self.failures)} task(s) failed: {', '.join(self.failures)}")
            return self._end("completed", None)

    def _evaluate(self) -> None:
        spec = self.spec
        import torch

        torch.set_num_threads(self.record.threads)
        with self.interruption.at_once():
            local = prepare(spec.model, {e.name: e for e in spec.lineage}, spec.home, spec.root, self.progress.say)
            harness = Harness(spec.suite, spec.root, spec.home / "models" / "nltk_data")
            tasks, failures = harness.load(spec.model.chat_template)
        self._pass_on(spec.suite.name)
        self.failures = {task: redact(reason) for task, reason in failures.items()}
        facts = ModelFacts(spec, local)
        self.failures |= {task: redact(reason) for task, reason in facts.refused(tasks).items()}
        tasks = [task for task in tasks if task.name not in self.failures]
        # Once for all: both read the whole landing.
        landed = withdrawn.counted(spec.landing, excluded_runs(spec.landing))
        model, own, why = as_landed(facts, landed)
        self.record = dataclasses.replace(self.record, model_key=model.key)
        wanted = [(repetition, task) for repetition in range(1, spec.suite.repetitions + 1) for task in tasks]
        self.planned = {task.name: _plan_of(task, model, spec.suite.repetitions) for task in tasks}
        self.planned |= {name: {"evaluation": "", "weight": 0.0} for name in self.failures}
        self._write_tasks_file()
        due = [(n, task) for n, task in wanted if spec.force or not self._is_done(own.get(_bundle(task, model, n)))]
        self.reused = [task.name for task in tasks if all(task is not of for _, of in due)]
        for reason in dict.fromkeys(self.failures.values()):
            names = ", ".join(name for name, of in self.failures.items() if of == reason)
            self.progress.say(f"{names}: not evaluated: {reason}")
        if not due:
            return
        if why is not None and not spec.force:
            self.progress.say(f"{spec.model.name}: evaluated again: {why}")
        engine = self._set_up(local, model)
        lm = MeteredLM(engine, self.ledger, self.interruption, self._tick, self.forecast.ask)
        self._announce([task for _, task in due], lm, engine)
        evaluating = _Evaluating(lm, engine, model)
        for number, (repetition, task) in enumerate(due, start=1):
            if task.name not in self.failures:
                self._one_task(task, repetition, number, len(due), evaluating)
            if repetition == spec.suite.repetitions:
                self._repeat_doubtful(task, number, len(due), evaluating)
            if [repetition] != [following for following, _ in due[number : number + 1]]:
                self._sum_up(repetition, [task.name for _, task in due[number:]])
        if spec.until_precise is not None:
            self._repeat_until_precise([task for task in tasks if task.name not in self.reused], evaluating)

    def _is_done(self, run_id: str | None) -> bool:
        """Whether the run that answered last, if any, is recent enough."""
        every = self.spec.model.refresh_every
        return run_id is not None and (every is None or datetime.now(UTC) - bundles.run_time(run_id) < every)

    def _set_up(self, local: LocalModel, model: ModelFacts) -> Engine:
        """Idle, load and warm up, each in its window; lands the model and the run-level energies."""
        entry, device = self.spec.model, machine.describe_device(self.spec.settings.device)
        if entry.engine != "vllm" and (why := cannot_dequantize(local.path, device.device)) is not None:
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
            self.speed = warm_up(engine)
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
        return engine

    def _tick(self) -> None:
        """A request is answered."""
        self.progress.tick(self.forecast.tick())
        self.now.tick()
        self.watch.look()

    def _spent(self) -> Spent:
        """What this and the earlier runs of the night have taken of the model's budget, without open windows."""
        return self.spec.spent + Spent(time.perf_counter() - self.started, self._energy_kwh())

    def _energy_kwh(self) -> float | None:
        known = [energy for energy in self.energies_kwh if energy is not None]
        return sum(known) if len(known) == len(self.energies_kwh) else None

    def _wait_idle(self) -> None:
        asked_s = self.spec.settings.idle_s
        modelled = {"modelled", OWN_TIME, "absent"}
        methods = {getattr(self.meter, name, "absent") for name in ("cpu_method", "gpu_method")}
        time.sleep(min(asked_s, _IDLE_MODELLED_S) if methods <= modelled else asked_s)

    def _announce(self, due: list[LoadedTask], lm: MeteredLM, engine: Engine) -> None:
        """Say beforehand how long the tasks will take: as an earlier run did here, or else at most, by the speed that
        warm-up saw and the length that answers may have."""
        spec = self.spec
        before = lifecycle.took_before(spec.landing, spec.model.name, spec.suite.name, self.record.machine_id)
        expected = {}
        for task in {task.name: task for task in due}.values():
            try:
                requests = requests_of(task, lm, _ESTIMATE_DOCUMENTS)
                sampled = min(_ESTIMATE_DOCUMENTS, task.documents)
                seconds = expected_s(self.speed, requests, task.documents, sampled, engine)
            except Exception:  # a document that cannot be asked fails its task in its own turn
                expected[task.name] = Expected(None, at_most=True)
                continue
            known = before.get(task.name)
            expected[task.name] = Expected(seconds if known is None else known * task.documents, at_most=known is None)
        self._pass_on(spec.suite.name)
        self.forecast.announce(f"{spec.model.name} on {spec.suite.name}", expected, [task.name for task in due])

    def _sum_up(self, repetition: int, due: list[str]) -> None:
        """The one line that a repetition of the suite has, and how long those will take that are `due` still."""
        if (of := self.spec.suite.repetitions) == 1:
            return
        done = [summary for summary in self.summaries if summary.repetition == repetition]
        line = f"repetition {repetition} of {of}: {counted(len(done), 'task')}, {_taken(done)}"
        left_s = self.forecast.left_s([task for task in due if task not in self.failures])
        self.progress.say(f"{line}; about {duration(left_s)} to go" if left_s else line)

    def _repeat_doubtful(self, task: LoadedTask, number: int, tasks: int, evaluating: _Evaluating) -> None:
        """Evaluate a task again whose windows are too short for the sensor, until together they are long enough, or
        were spoilt by other programs, a bounded number of times."""
        wanted = self.spec.suite.repetitions
        while task.name not in self.failures:
            done = [summary for summary in self.summaries if summary.task == task.name]
            if not further_windows(done) and not spoilt_by_others(done, wanted):
                if done and done[-1].repetition > wanted:
                    self.progress.say(f"{task.name}: evaluated {len(done)} times for its energy, {_taken(done)}")
                break
            repetition = max(summary.repetition for summary in done) + 1
            self._one_task(task, repetition, number, tasks, evaluating)

    def _repeat_until_precise(self, tasks: list[LoadedTask], evaluating: _Evaluating) -> None:
        """Evaluate each task again until the interval of its energy is narrow enough, or the budget has ended.

        The longest first: most of the suite's energy is theirs, and most of its uncertainty.
        """
        assert self.spec.until_precise is not None
        started = time.perf_counter()
        took = {summary.task: summary.duration_s for summary in self.summaries}
        longest_first = sorted(tasks, key=lambda task: took.get(task.name, 0.0), reverse=True)
        for number, task in enumerate(longest_first, start=1):
            while task.name not in self.failures:
                done = [summary for summary in self.summaries if summary.task == task.name]
                elapsed_s = time.perf_counter() - started
                why = reason_to_stop(done, self.spec.until_precise, elapsed_s, self.spec.budget_s)
                if why is not None:
                    self.progress.say(f"{task.name}: {why}")
                    break
                repetition = max(summary.repetition for summary in done) + 1
                self._one_task(task, repetition, number, len(tasks), evaluating)

    def _one_task(self, task: LoadedTask, repetition: int, number: int, tasks: int, evaluating: _Evaluating) -> None:
        lm, engine, model = evaluating.lm, evaluating.engine, evaluating.model
        self.watch.look()
        self.interruption.check()
        requests = _request_count(task)
        self.progress.start(task.name, number, tasks, requests)
        self.now.start(task.name, number, tasks, requests)
        self.forecast.start(task.name, requests)
        self.ledger.switch("scoring")
        engine.counted()  # what warm-up, or a task that failed, has forwarded is not this task's
        outcome: Outcome | None = None
        failure: Exception | None = None
        try:
            outcome = run_task(task, lm, engine.lm, self.spec.settings.seed)
        except Exception as error:  # one bad document fails its task; the run's other tasks are kept
            failure = error
        readings, counts = self.ledger.settle(), engine.counted()
        self.forecast.ended()
        self.progress.stop()
        self._pass_on(task.name)
        emissions = [self._emission(task.name, "scoring", readings["scoring"], repetition=repetition)]
        if "inference" in readings:  # nothing was asked where a task failed before
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
                raise  # the disk refuses, which the next task would not survive either
            except Exception as error:  # answers that no table can hold
                failure = error
        if outcome is not None and failure is None:
            self._report(task, repetition, outcome, readings["inference"], counts)
            return
        assert failure is not None
        # What the task took is known and paid for, whatever became of its answers.
        bundles.write_bundle(spec.landing, run_id, bundles.failed_bundle(bundle), emissions)
        self.failures[task.name] = redact(complaints.sentence(failure))
        self.progress.say(f"{task.name}: failed: {self.failures[task.name]}")

    def _pass_on(self, about: str) -> None:
        for line in self.warnings.take(about):
            self.progress.say(redact(line))

    def _report(
        self, task: LoadedTask, repetition: int, outcome: Outcome, reading: Reading, counts: TokenCounts
    ) -> None:
        score = next(s for s in outcome.scores if (s.metric, s.filter) == (task.metric, task.filter))
        summary = TaskSummary(
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
        self.summaries.append(summary)
        # Once a task, and again where another doubt comes: a repetition differs in its energy alone.
        doubts = *reading.flags, summary.energy_kwh is None
        if summary.task not in self.doubts_shown or (any(doubts) and doubts != self.doubts_shown[summary.task]):
            self.doubts_shown[summary.task] = doubts
            self.progress.say(
                f"{summary.name}: {summary.metric} {summary.score:.3f}, {_taken([summary])} {summary.energy_method}"
                + (f" ({summary.note})" if summary.note else "")
                + (f", {summary.computed} tokens computed" if summary.computed else "")
            )
        self.on_task(summary)

    def _emission(
        self,
        task: str,
        phase: str,
        reading: Reading,
        outcome: Outcome | None = None,
        counts: TokenCounts = rows.NOT_COUNTED,
        repetition: int = 1,
    ) -> TaskEmission:
        self.energies_kwh.append(reading.energy_kwh)
        return rows.emission(self.spec.run_id, task, phase, reading, outcome, counts, repetition)

    def _write_tasks_file(self) -> None:
        path = self.spec.landing / self.spec.run_id / lifecycle.TASKS_FILE
        durable.write_durably(path, json.dumps(self.planned, sort_keys=True).encode())

    def _end_over_budget(self) -> RunSummary:
        # What the unfinished task took counts, though it has no row.
        self.energies_kwh += [reading.energy_kwh for reading in self.ledger.settle().values()]
        reason = self.watch.reason()
        self.progress.stop()
        self.progress.say(f"{self.spec.model.name}: {reason}")
        return self._end("interrupted", reason, over_budget=True)

    def _end(self, status: str, reason: str | None, *, over_budget: bool = False) -> RunSummary:
        duration_s = time.perf_counter() - self.started
        reason = redact(reason) if reason is not None else None
        end = dataclasses.replace(
            self.record,
            status=status,
            reason=reason,
            ended_at=datetime.now(UTC),
            duration_s=duration_s,
            tasks_planned=len(self.planned) if self.planned is not None else None,
            tasks_evaluated=len(self.summaries),
            tasks_reused=len(self.reused),
            tasks_failed=len(self.failures),
            task_evaluations_json=json.dumps(self.planned, sort_keys=True) if self.planned is not None else None,
            task_failures_json=json.dumps(self.failures, sort_keys=True) if self.failures else None,
        )
        summary = RunSummary(
            run_id=self.spec.run_id,
            model=self.spec.model.name,
            suite=self.spec.suite.name,
            status=status,
            reason=reason,
            duration_s=duration_s,
            energy_kwh=self._energy_kwh() if self.energies_kwh else None,
            tasks=tuple(self.summaries),
            reused=tuple(self.reused),
            failures=self.failures,
            over_budget=over_budget,
            budget_note=self.watch.note(),
        )
        content = json.dumps(dataclasses.asdict(summary), indent=1).encode()
        durable.write_durably(self.spec.landing / self.spec.run_id / lifecycle.SUMMARY_FILE, content)
        bundles.write_bundle(self.spec.landing, self.spec.run_id, bundles.END_BUNDLE, [end])
        return summary


def _bundle(task: LoadedTask, model: ModelFacts, repetition: int) -> str:
    return bundles.task_bundle(model.fingerprint(task), repetition)


def _plan_of(task: LoadedTask, model: ModelFacts, repetitions: int) -> lifecycle.PlannedTask:
    plan: lifecycle.PlannedTask = {"evaluation": _bundle(task, model, 1), "weight": task.weight}
    if task.group is not None:
        plan["group"] = task.group
    if task.entry.scale is not None:
        plan["scale"] = task.entry.scale
    if repetitions > 1:
        plan["repetitions"] = [_bundle(task, model, number) for number in range(2, repetitions + 1)]
    return plan


def _with_dtype(spec: RunSpec) -> RunSpec:
    """The spec with the precision that `auto` means here, which from now on is the model's."""
    if spec.model.dtype != "auto":
        return spec
    dtype = machine.native_dtype(machine.describe_device(spec.settings.device).device)
    return spec.model_copy(update={"model": spec.model.model_copy(update={"dtype": dtype})})


@contextmanager
def _device_lock(spec: RunSpec, progress: Progress, interruption: Interruption) -> Iterator[None]:
    """One evaluation at a time on this machine: a Dagster pool's slot can leak, a file lock dies with its process."""
    path = spec.home / "locks" / "device.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.say(f"another evaluation holds {path}; waiting until it ends")
        with interruption.at_once():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _method(reading: Reading) -> str:
    """The weakest method of the boundary's components: what the sum may be called."""
    order = ("modelled", OWN_TIME, "integrated", "measured")
    methods = {reading.cpu_method, reading.gpu_method, reading.ram_method}
    return next((method for method in order if method in methods), "absent")


def _request_count(task: LoadedTask) -> int:
    """Requests that the task will send, scaled from the few documents that were built for the estimate."""
    instances = getattr(task.task, "_instances", None) or ()  # unset where a document of the estimate cannot be asked
    built = {instance.doc_id for instance in instances}
    return round(len(instances) / max(len(built), 1) * task.documents)


def _taken(summaries: list[TaskSummary]) -> str:
    """What evaluations took together: `58 s, 0.610 Wh`."""
    energies = [summary.energy_kwh for summary in summaries if summary.energy_kwh is not None]
    energy = f"{sum(energies) * 1000:.3f} Wh" if len(energies) == len(summaries) else "energy unknown"
    return f"{duration(sum(summary.duration_s for summary in summaries))}, {energy}"
