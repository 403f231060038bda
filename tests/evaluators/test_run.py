"""The evaluator on a small real model: what lands, when, and what another run does with it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from lm_eval.api.instance import Instance
from scipy import stats

from evaluators import engines, environment, machine
from evaluators.__main__ import main
from evaluators.catalogue.entries import load
from evaluators.energy import MeterFailed, Reading, quality
from evaluators.energy.replay import ReplayMeter
from evaluators.energy.short_windows import countable
from evaluators.harness.metered import Speed
from evaluators.landing import bundles, lifecycle
from evaluators.landing.decisions import exclude
from evaluators.landing.runs import runs_by_workload
from evaluators.plan import PlannedRun, in_order, make_spec, plan
from evaluators.process.expectation import at_most_s, took_before
from evaluators.process.run import evaluate
from evaluators.spec import RunSpec
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support import tiny
from tests.support.readings import READING
from tests.support.tiny import TASKS, next_spec, rows


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    tiny.save_model(tmp_path / "model")
    tiny.save_tasks(tmp_path / "tasks")
    tiny.save_generation_task(tmp_path / "tasks")
    tiny.save_catalogue(tmp_path, tasks=[*TASKS, "tiny_text"], models=[tiny.model_entry("tiny-base", "model")])
    return tmp_path


def test_a_run_lands_scores_samples_and_energies(workplace: Path) -> None:
    summary = evaluate(next_spec(workplace))
    assert summary.status == "completed"
    assert [task.task for task in summary.tasks] == [*TASKS, "tiny_text"]

    (run,) = rows(workplace, "evaluation_runs")
    assert (run["status"], run["tasks_evaluated"], run["tasks_failed"]) == ("completed", 4, 0)
    assert run["machine_id"] == "test-machine"
    assert run["grid_intensity_g_per_kwh"] > 0
    (model,) = rows(workplace, "models")
    assert model["params_b"] == pytest.approx(model["params_b"])
    assert str(model["revision"]).startswith("sha256:")

    phases = {(row["task"], row["phase"]) for row in rows(workplace, "task_emissions")}
    assert phases == {("", p) for p in ("idle", "load", "warmup")} | {
        (task, phase) for task in [*TASKS, "tiny_text"] for phase in ("inference", "scoring")
    }
    for row in rows(workplace, "task_emissions"):
        assert row["gpu_method"] == "absent"
        assert row["gpu_energy_kwh"] is None
        assert (row["requests"] is not None) == (row["phase"] == "inference")

    samples = [row for row in rows(workplace, "samples") if row["task"] == "tiny_one"]
    assert [row["document_id"] for row in samples] == list(range(6))
    assert all(row["requests"] == 2 and row["tokens_generated"] == 0 for row in samples)
    generated = [row for row in rows(workplace, "samples") if row["task"] == "tiny_text"]
    assert all(0 < row["tokens_generated"] <= 6 for row in generated)

    scores = {row["task"]: row for row in rows(workplace, "task_results") if row["is_primary"]}
    assert scores["tiny_one"]["chance"] == 0.5
    assert scores["tiny_text"]["chance"] == 0.0
    assert scores["tiny_one"]["is_binary"]
    correct = [row["correct"] for row in samples]
    assert scores["tiny_one"]["value"] == pytest.approx(sum(correct) / len(correct))


def test_tokens_are_what_the_tokenizer_counts(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    sample = next(row for row in rows(workplace, "samples") if row["task"] == "tiny_one")
    # "what colour is WORD ?" is five words, each choice one more, and there are two choices
    assert sample["tokens_prompt"] == 2 * (5 + 1)


TOKENS = [f"tokens_{kind}" for kind in ("unshared", "computed", "padding", "shared", "distinct")]


def tokens(workplace: Path) -> dict[object, list[object]]:
    inference = [row for row in rows(workplace, "task_emissions") if row["phase"] == "inference"]
    return {row["task"]: [row[name] for name in TOKENS] for row in inference}


def test_what_was_computed_lands_task_by_task(workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    summary = evaluate(next_spec(workplace))
    found = tokens(workplace)
    # Six questions "what colour is WORD ?": five tokens each, of which three begin them all; hf reads each question
    # once, because the choices are one token. Neither warm-up nor the tasks before are in it.
    assert [found[task] for task in TASKS] == [[30, 15, 0, 15, 15]] * 3
    unshared, computed, padding, shared, distinct = found["tiny_text"]
    # Four prompts "the sky is WORD", and all generated tokens but the last of each answer are read.
    assert (computed, shared, padding) == (unshared - 9, 9, 0)
    assert distinct == computed
    for row in rows(workplace, "task_emissions"):
        assert row["phase"] == "inference" or all(row[name] is None for name in TOKENS)
    assert [(task.tokens_computed, task.tokens_unshared) for task in summary.tasks[:3]] == [(15, 30)] * 3
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("tiny_one: acc")]
    assert said[0].endswith("15 of 30 tokens computed")


def test_what_the_engine_cannot_tell_is_null(workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    entry = tiny.model_entry("tiny-base", "model", engine="transformers")
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[entry])
    evaluate(next_spec(workplace))
    assert tokens(workplace) == {"tiny_one": [None, 30, None, None, None]}
    assert ", 30 tokens computed" in capfd.readouterr().err


def test_the_engine_that_answered_lands_with_the_reason(workplace: Path) -> None:
    from transformers import BloomConfig, BloomForCausalLM

    evaluate(next_spec(workplace))
    BloomForCausalLM(BloomConfig(vocab_size=30, hidden_size=32, n_layer=1, n_head=2)).save_pretrained(
        workplace / "model"
    )
    assert len(evaluate(next_spec(workplace)).tasks) == 4
    asked, other = sorted(rows(workplace, "evaluation_runs"), key=lambda run: str(run["run_id"]))
    assert (asked["engine"], asked["engine_reason"]) == ("shared-prefix", None)
    assert (other["engine"], str(other["batch_policy"])) == ("transformers", "batch 4")
    assert str(other["engine_reason"]).startswith("BloomForCausalLM does not take its attention")
    assert str(other["engine_version"]).startswith("lm-eval")


@pytest.mark.parametrize(("name", "tokens_read"), [("transformers", 100 * 23), ("shared-prefix", 20 + 100 * 3)])
def test_a_prefix_that_an_engine_shares_is_expected_once_a_task(workplace: Path, name: str, tokens_read: int) -> None:
    engine = engines.load(name, workplace / "model", dtype="float32", device="cpu", batch_size=4)
    examples = " ".join(["the sky is blue ."] * 4)
    requests = [
        Instance("loglikelihood", {}, (f"{examples} {tiny.WORDS[number % 20]} {tiny.WORDS[number // 20]} ?", choice), i)
        for number in range(100)
        for i, choice in enumerate((" blue", " green"))
    ]
    speed = Speed(read_per_s=1, generated_per_s=1)
    assert at_most_s(speed, requests[:8], 100, 4, engine) == speed.at_most_s(tokens_read, 0)
    engine.counted()
    engine.lm.loglikelihood(requests, disable_tqdm=True)
    # At most about: other documents begin alike, too.
    assert tokens_read / 2 < (engine.counted().computed or 0) <= tokens_read


@pytest.mark.parametrize("limit", ["max_gen_toks", "max_new_tokens"])
def test_answers_are_expected_as_long_as_they_may_be(workplace: Path, limit: str) -> None:
    engine = engines.load("shared-prefix", workplace / "model", dtype="float32", device="cpu", batch_size=4)
    requests = [Instance("generate_until", {}, ("the sky is", {"until": [], limit: 40}), i) for i in range(4)]
    speed = Speed(read_per_s=1e9, generated_per_s=1)
    assert at_most_s(speed, requests, 100, 4, engine) == pytest.approx(speed.at_most_s(0, 100 * 40), abs=0.1)


def test_a_run_is_announced_by_what_an_earlier_one_took_here(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def announced() -> str:
        (line,) = [line for line in capfd.readouterr().err.splitlines() if " about " in line]
        return line.partition("tiny: ")[2]

    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[tiny.model_entry("tiny-base", "model")])
    evaluate(next_spec(workplace))
    assert announced().startswith("1 task, at most about ")
    landed = rows(workplace, "task_emissions")
    (took,) = {row["duration_s"] for row in landed if row["phase"] == "inference"}
    (machine,) = {row["machine_id"] for row in rows(workplace, "evaluation_runs")}
    before = took_before(workplace / "home" / "landing", "tiny-base", "tiny", str(machine))
    assert before == {"tiny_one": pytest.approx(float(str(took)) / 6)}
    assert not took_before(workplace / "home" / "landing", "tiny-base", "tiny", "another")
    force = {"force": True}
    evaluate(next_spec(workplace).model_copy(update=force))
    assert announced().startswith("1 task, about ")
    tiny.save_catalogue(workplace, tasks=[*TASKS[:1], "tiny_text"], models=[tiny.model_entry("tiny-base", "model")])
    evaluate(next_spec(workplace).model_copy(update=force))
    assert announced().startswith("2 tasks, at most about ")


def test_a_second_run_evaluates_nothing_and_says_why(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
    assert not planned.due
    assert "all 4 tasks were evaluated" in planned.reason

    summary = evaluate(next_spec(workplace))
    assert summary.tasks == ()
    assert set(summary.reused) == {*TASKS, "tiny_text"}
    assert len([r for r in rows(workplace, "task_results") if r["is_primary"]]) == 4


def test_a_plan_names_a_place_that_is_not_there(tmp_path: Path) -> None:
    models = [tiny.model_entry("base", "nowhere"), tiny.model_entry("tuned", ".", kind="adapter", base_model="base")]
    tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=models)
    for planned in plan(load(tmp_path / "catalogue.yml"), tmp_path / "home"):
        assert planned.due
        assert planned.reason.endswith("but nowhere does not exist: correct its path in the catalogue"), planned.model


def test_a_plan_names_the_energies_that_are_in_doubt(workplace: Path) -> None:
    summary = evaluate(next_spec(workplace))
    file = workplace / "home" / "landing" / summary.run_id / bundles.SUMMARY_FILE
    values = json.loads(file.read_text())
    one = next(task for task in values["tasks"] if task["task"] == "tiny_one")

    def reason(**windows: list[tuple[float, list[str]]]) -> str:
        """Of the plan, where the run's tasks had these windows: seconds and flags; and the others one long window."""
        planned_tasks = {name: windows.get(name, [(9.0, [])]) for name in (*TASKS, "tiny_text")}
        values["tasks"] = [
            one | {"task": name, "repetition": number, "duration_s": seconds, "energy_kwh": 0.1, "flags": flags}
            for name, each in planned_tasks.items()
            for number, (seconds, flags) in enumerate(each, start=1)
        ]
        file.write_text(json.dumps(values))
        (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
        assert not planned.due
        return planned.reason.partition("nothing has changed since")[2]

    again = "`evalwatt evaluate tiny-base --force` measures again"
    assert reason() == ""
    assert reason(tiny_one=[(5.0, ["foreign_load"])]) == f"; the energy of tiny_one is in doubt (foreign_load): {again}"
    assert reason(tiny_one=[(5.0, ["foreign_load"]), (5.0, [])]) == ""
    assert reason(tiny_one=[(0.5, ["too_short"]), (0.5, ["too_short"])]) == ""
    # Short ones that are not enough together: more of them would be, or the task asks too little.
    assert reason(tiny_one=[(0.5, ["too_short"])]) == f"; the energy of tiny_one is in doubt (too_short): {again}"
    assert reason(tiny_one=[(0.05, ["too_short"])], tiny_two=[(5.0, ["stuck"])]) == (
        f"; the energy of tiny_one is in doubt (too_short): {quality.REMEDIES['too_short']}"
        f"; the energy of tiny_two is in doubt (stuck): {again}"
    )


def test_a_suite_is_repeated_as_often_as_it_asks_round_by_round(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    document = json.loads((workplace / "catalogue.yml").read_text())
    document["suites"]["tiny"] |= {"tasks": TASKS[:2], "repetitions": 3}
    (workplace / "catalogue.yml").write_text(json.dumps(document))
    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
    assert planned.due
    summary = evaluate(next_spec(workplace))
    # The first repetition is there already: tasks and settings are the same.
    order = [(task.task, task.repetition) for task in summary.tasks]
    assert order == [("tiny_one", 2), ("tiny_two", 2), ("tiny_one", 3), ("tiny_two", 3)]
    assert summary.reused == ()
    scores: dict[object, set[object]] = {}
    for row in rows(workplace, "task_results"):
        scores.setdefault(row["task"], set()).add(row["value"])
    assert len(scores["tiny_one"]) == len(scores["tiny_two"]) == 1, "another repetition gave another score"
    assert len({(r["task"], r["repetition"], r["document_id"]) for r in rows(workplace, "samples")}) == 22 + 24
    assert not plan(load(workplace / "catalogue.yml"), workplace / "home")[0].due


def test_a_lost_repetition_makes_its_task_due(workplace: Path) -> None:
    document = json.loads((workplace / "catalogue.yml").read_text())
    document["suites"]["tiny"] |= {"tasks": TASKS[:1], "repetitions": 2}
    (workplace / "catalogue.yml").write_text(json.dumps(document))
    evaluate(next_spec(workplace))
    for bundle in list(bundles.bundles(workplace / "home" / "landing")):
        results = bundle.files.get("task_results")
        if results and pq.read_table(results)["repetition"][0].as_py() == 2:
            shutil.rmtree(bundle.path)
    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
    assert (planned.due, planned.tasks_done) == (True, 0)
    assert [(task.task, task.repetition) for task in evaluate(next_spec(workplace)).tasks] == [("tiny_one", 2)]


def replayed(energies_kwh: Iterable[float], flags: tuple[str, ...] = (), inference: Reading = READING) -> ReplayMeter:
    """Idle, load and warm-up; then scoring, inference, scoring for each evaluation, inference with these energies."""

    def readings() -> Iterator[Reading]:
        yield from [READING] * 3
        for energy_kwh in energies_kwh:
            yield READING
            yield dataclasses.replace(inference, cpu_energy_kwh=energy_kwh, flags=flags)
            yield READING

    return ReplayMeter(readings())


def precise_spec(workplace: Path, repeat_for_s: float | None = None) -> RunSpec:
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[tiny.model_entry("tiny-base", "model")])
    return next_spec(workplace).model_copy(update={"until_precise": 0.2, "repeat_for_s": repeat_for_s})


def test_a_task_is_repeated_until_its_energy_is_known(workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # With 6 Wh of GPU and memory each; of the 98 % interval: known to 24 % after five of them, to 17 % after six.
    energies = [0.004, 0.0062, 0.003, 0.003, 0.004, 0.004, 9.0]
    sums = [0.006 + energy for energy in energies]
    errors = [stats.t.ppf(0.99, n - 1) * stats.sem(sums[:n]) / np.mean(sums[:n]) for n in (5, 6)]
    reach = [np.exp(error) - 1 for error in errors]
    assert reach[0] > 0.2 > reach[1]
    summary = evaluate(precise_spec(workplace), meter=replayed(energies))
    assert [task.repetition for task in summary.tasks] == [1, 2, 3, 4, 5, 6]
    assert f"its energy is known to ±{reach[1]:.1%} after 6 evaluations" in capfd.readouterr().err
    landed = [row for row in rows(workplace, "task_emissions") if row["phase"] == "inference"]
    assert sorted((row["repetition"], row["energy_kwh"]) for row in landed) == [
        (number, pytest.approx(energy)) for number, energy in enumerate(sums[:6], start=1)
    ]
    (run,) = rows(workplace, "evaluation_runs")
    assert run["until_precise"] == 0.2


def test_a_run_that_repeats_nothing_lands_no_width(workplace: Path) -> None:
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[tiny.model_entry("tiny-base", "model")])
    evaluate(next_spec(workplace))
    assert [run["until_precise"] for run in rows(workplace, "evaluation_runs")] == [None]


def test_the_longest_task_is_repeated_first(workplace: Path) -> None:
    tiny.save_catalogue(workplace, tasks=TASKS[:2], models=[tiny.model_entry("tiny-base", "model")])
    windows = [dataclasses.replace(READING, duration_s=seconds) for seconds in (5.0, *[20.0] * 5, *[5.0] * 4)]
    around = [READING] * 3
    meter = ReplayMeter(iter([*around, *(reading for window in windows for reading in (READING, window, READING))]))
    summary = evaluate(next_spec(workplace).model_copy(update={"until_precise": 0.2}), meter=meter)
    assert [(task.task, task.repetition) for task in summary.tasks] == [
        ("tiny_one", 1),
        ("tiny_two", 1),
        *(("tiny_two", repetition) for repetition in (2, 3, 4, 5)),
        *(("tiny_one", repetition) for repetition in (2, 3, 4, 5)),
    ]


def test_a_meter_that_cannot_start_is_a_sentence(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise MeterFailed("the sensor's file is gone; plug it in")

    monkeypatch.setattr("evaluators.process.run.make_meter", fails)
    spec = next_spec(workplace)
    file = workplace / "spec.json"
    file.write_text(spec.model_dump_json())
    assert main([str(file)]) == 1
    error = capfd.readouterr().err
    assert error.endswith(f"{spec.model.name}: the sensor's file is gone; plug it in\n")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("cpu", "gpu", "idle_s"), [("measured", "absent", 7), ("modelled", "integrated", 7), ("modelled", "absent", 1)]
)
def test_a_sensor_gets_the_idle_time_that_the_settings_ask_for(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, cpu: str, gpu: str, idle_s: float
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("evaluators.process.run.time", SimpleNamespace(sleep=waited.append))
    spec = next_spec(workplace)
    spec = spec.model_copy(update={"settings": spec.settings.model_copy(update={"idle_s": 7.0})})
    meter = replayed([0.004] * 9)
    meter.cpu_method, meter.gpu_method = cpu, gpu
    evaluate(spec, meter=meter)
    assert waited == [idle_s]


def test_repeating_ends_with_its_budget_and_where_no_energy_counts(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = evaluate(precise_spec(workplace, repeat_for_s=0.0), meter=replayed([0.004] * 9))
    assert len(summary.tasks) == 1
    assert "its energy is still uncertain, and the 0 min for repetitions are over" in capfd.readouterr().err
    spec = precise_spec(workplace).model_copy(update={"force": True})
    summary = evaluate(spec, meter=replayed([0.004] * 9, flags=("clock_mismatch",)))
    assert len(summary.tasks) == 3
    assert "every energy is in doubt (the meter's duration" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("duration_s", "flags", "windows"),
    [
        (0.3, (), 4),
        (0.12, (), 9),
        (0.09, (), 1),  # even ten would not last a second
        (0.3, ("clock_mismatch",), 1),  # no number of windows takes such a doubt away
        (1.0, (), 1),
    ],
)
def test_what_is_too_short_for_the_sensor_is_repeated_until_it_lasts_a_second_together(
    workplace: Path, duration_s: float, flags: tuple[str, ...], windows: int
) -> None:
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[tiny.model_entry("tiny-base", "model")])
    little = dataclasses.replace(READING, duration_s=duration_s, gpu_energy_kwh=1e-5, ram_energy_kwh=1e-5)
    summary = evaluate(next_spec(workplace), meter=replayed([1e-5] * 11, flags, little))
    assert [task.repetition for task in summary.tasks] == list(range(1, windows + 1))
    landed = [row for row in rows(workplace, "task_emissions") if row["phase"] == "inference"]
    assert len(landed) == windows
    assert all(("too_short" in str(row["quality_flags"])) == (duration_s < 1) for row in landed)
    assert len(countable(summary.tasks)) == (0 if flags or duration_s < 0.1 else windows)


@pytest.mark.parametrize(
    ("spoilt", "repetitions", "evaluations"),
    [([0], 1, 2), ([0, 1, 2, 3, 4], 1, 4), ([1], 3, 4), ([0, 1], 3, 5), ([], 3, 3)],
)
def test_what_other_programs_spoil_is_evaluated_again_a_few_times(
    workplace: Path, spoilt: list[int], repetitions: int, evaluations: int
) -> None:
    document = json.loads((workplace / "catalogue.yml").read_text())
    document["suites"]["tiny"] |= {"tasks": TASKS[:1], "repetitions": repetitions}
    (workplace / "catalogue.yml").write_text(json.dumps(document))
    flags = [("foreign_load",) if number in spoilt else () for number in range(9)]
    inference = [dataclasses.replace(READING, flags=of) for of in flags]
    meter = ReplayMeter(iter([READING] * 3 + [each for one in inference for each in (READING, one, READING)]))
    summary = evaluate(next_spec(workplace), meter=meter)
    assert len(summary.tasks) == evaluations
    assert len(countable(summary.tasks)) == min(repetitions, evaluations - len(spoilt[:evaluations]))


def test_others_are_watched_for_while_a_model_is_evaluated(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)

    def is_watched() -> bool:
        return "waiting" in [thread.name for thread in threading.enumerate()]

    seen: list[bool] = []
    summary = evaluate(next_spec(workplace), lambda _: seen.append(is_watched()))
    assert seen == [True] * len(summary.tasks)
    assert seen
    assert not is_watched()


def test_a_plan_names_those_whose_energies_will_not_be_compared(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny.model_entry("tiny-base", "model")
    tuned = tiny.model_entry("tiny-tuned", "model", base_model="tiny-base", kind="fine_tuned")
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[base])
    evaluate(next_spec(workplace))
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[base, tuned])
    catalogue, home = load(workplace / "catalogue.yml"), workplace / "home"
    monkeypatch.setenv("GOMP_SPINCOUNT", "77")
    kept, due = plan(catalogue, home)
    assert (kept.due, due.due) == (False, True)
    policy = environment.thread_policy()
    ((landed,),) = runs_by_workload(home / "landing").values()
    assert landed.start.thread_policy != policy == "spin=77"
    assert due.reason == (
        f"never evaluated here; its energies will not be comparable with those of tiny-base, metered with 1 thread "
        f"({landed.start.thread_policy}) on test-machine, now 1 thread (spin=77) on test-machine: "
        "`evalwatt evaluate tiny-base --suite tiny --force` meters that model again"
    )
    assert all("not be comparable" not in run.reason for run in plan(catalogue, home, force=True)), "both are metered"


def test_the_control_is_due_once_a_night_first_and_only_where_a_night_asks(workplace: Path) -> None:
    models = [tiny.model_entry("other", "model"), tiny.model_entry("tiny-base", "model")]
    control = {"model": "tiny-base", "suite": "tiny"}
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=models, control=control)
    catalogue, home = load(workplace / "catalogue.yml"), workplace / "home"
    for run in plan(catalogue, home):
        evaluate(make_spec(catalogue, run, home))
    assert [run.due for run in plan(catalogue, home)] == [False, False]
    first, second = plan(catalogue, home, control=True)
    assert (first.model, first.due, first.is_control) == ("tiny-base", True, True)
    assert first.reason == "the control workload of this night"
    assert (second.due, second.is_control) == (False, False)
    assert len(evaluate(make_spec(catalogue, first, home)).tasks) == 1, "a control is evaluated again"
    assert not any(run.due for run in plan(catalogue, home, control=True))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert [run.due for run in plan(catalogue, home, control=True, now=tomorrow)] == [True, False]
    flags = {row["run_id"]: row["is_control"] for row in rows(workplace, "evaluation_runs")}
    assert sorted(flags.values()) == [False, False, True]


def test_a_retired_model_is_never_due_and_can_come_back(workplace: Path) -> None:
    entry = tiny.model_entry("tiny-base", "model")

    def planned(**changes: object) -> PlannedRun:
        tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[entry | changes])
        (run,) = plan(load(workplace / "catalogue.yml"), workplace / "home", force=True)
        return run

    key = planned().plan_key
    retired = planned(retired="replaced by another")
    assert (retired.due, retired.reason) == (False, "retired: replaced by another")
    assert retired.plan_key == key
    assert planned().due


def test_the_order_of_a_night_is_its_seeds_and_the_control_stays_first(workplace: Path) -> None:
    names = [f"model-{number}" for number in range(6)]
    models = [tiny.model_entry(name, "model") for name in names]
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=models, control={"model": "model-3", "suite": "tiny"})
    catalogue, night = load(workplace / "catalogue.yml"), datetime(2026, 3, 1, 2, tzinfo=UTC)
    order, seed = in_order(names, catalogue, night)
    assert seed == "1234/2026-03-01"
    assert order == in_order(names[::-1], catalogue, night + timedelta(hours=20))[0]
    orders = {tuple(in_order(names, catalogue, night + timedelta(days=day))[0]) for day in range(9)}
    assert len(orders) > 5
    assert {order[0] for order in orders} == {"model-3"}


def test_an_excluded_runs_tasks_are_evaluated_again(workplace: Path) -> None:
    bad = evaluate(next_spec(workplace))
    exclude(workplace / "home" / "landing", bad.run_id, "another program ran beside it", "ann")
    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
    assert (planned.due, planned.tasks_done) == (True, 0)
    again = evaluate(next_spec(workplace))
    assert (len(again.tasks), again.reused) == (4, ())
    assert not plan(load(workplace / "catalogue.yml"), workplace / "home")[0].due


def test_force_evaluates_again(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    spec = next_spec(workplace).model_copy(update={"force": True})
    assert len(evaluate(spec).tasks) == 4


def test_an_entry_is_due_again_when_it_is_older_than_its_refresh(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    entry = tiny.model_entry("tiny-base", "model", refresh_every="1d")
    tiny.save_catalogue(workplace, tasks=[*TASKS, "tiny_text"], models=[entry])
    catalogue, now = load(workplace / "catalogue.yml"), datetime.now(UTC)
    assert not plan(catalogue, workplace / "home", now=now)[0].due
    (stale,) = plan(catalogue, workplace / "home", now=now + timedelta(days=2))
    assert stale.due
    assert "refreshed every" in stale.reason
    assert stale.expected_duration_s is not None


def test_a_changed_weight_needs_no_new_evaluation(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    tiny.save_catalogue(
        workplace,
        tasks=[{"task": "tiny_one", "weight": 5}, *TASKS[1:], "tiny_text"],
        models=[tiny.model_entry("tiny-base", "model")],
    )
    assert evaluate(next_spec(workplace)).tasks == ()
    newest = max(rows(workplace, "evaluation_runs"), key=lambda run: str(run["run_id"]))
    assert json.loads(str(newest["task_evaluations_json"]))["tiny_one"]["weight"] == 5


def test_a_changed_limit_makes_an_entry_due(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    tiny.save_catalogue(
        workplace,
        tasks=[{"task": "tiny_one", "limit": 3}, "tiny_two"],
        models=[tiny.model_entry("tiny-base", "model")],
    )
    (planned,) = plan(load(workplace / "catalogue.yml"), workplace / "home")
    assert planned.due
    assert "changed" in planned.reason
    summary = evaluate(next_spec(workplace))
    assert [task.task for task in summary.tasks] == ["tiny_one"]  # tiny_two asks what it asked before
    assert summary.reused == ("tiny_two",)


def test_changed_documents_are_asked_again(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    tiny.save_tasks(workplace / "tasks", ("tiny_two",), documents=5)
    assert [task.task for task in evaluate(next_spec(workplace)).tasks] == ["tiny_two"]


@pytest.mark.parametrize(
    ("split", "data"),
    [
        ("test", {"data_files": {"test": "tasks/tiny_one.jsonl"}}),
        ("train", {"data_files": "tasks/tiny_o*.jsonl"}),
        ("test", {"data_dir": "tasks/data"}),
    ],
)
def test_data_lies_where_the_catalogue_says_wherever_it_is_evaluated(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, split: str, data: dict[str, object]
) -> None:
    tasks, elsewhere = workplace / "tasks", workplace / "elsewhere"
    for folder in (tasks / "data", elsewhere / "tasks" / "data"):
        folder.mkdir(parents=True)
    shutil.copy(tasks / "tiny_one.jsonl", tasks / "data" / "test.jsonl")
    for name in ("tiny_one.jsonl", "data/test.jsonl"):  # others, where the daemon works
        (elsewhere / "tasks" / name).write_text((tasks / "tiny_two.jsonl").read_text())
    file = tasks / "tiny_one.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dataset_kwargs": data, "test_split": split}))
    tiny.save_catalogue(workplace, tasks=["tiny_one"], models=[tiny.model_entry("tiny-base", "model")])
    monkeypatch.chdir(workplace)
    by_hand = evaluate(next_spec(workplace))
    assert by_hand.status == "completed"
    monkeypatch.chdir(elsewhere)
    again = evaluate(next_spec(workplace))
    assert (again.status, again.reused) == ("completed", ("tiny_one",))
    assert Path.cwd() == elsewhere


def test_other_weights_are_another_model(workplace: Path) -> None:
    evaluate(next_spec(workplace))
    tiny.save_model(workplace / "model", seed=1)
    assert plan(load(workplace / "catalogue.yml"), workplace / "home")[0].due
    assert len(evaluate(next_spec(workplace)).tasks) == 4
    assert len({row["model_key"] for row in rows(workplace, "models")}) == 2


@pytest.mark.parametrize("native", ["float32", "bfloat16"])
def test_dtype_auto_lands_as_the_precision_that_the_device_computes_in(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, native: str
) -> None:
    entry = tiny.model_entry("tiny-base", "model", dtype="auto")
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[entry])
    monkeypatch.setattr("evaluators.machine.native_dtype", lambda device: native)
    evaluate(next_spec(workplace))
    assert {row["dtype"] for table in ("evaluation_runs", "models") for row in rows(workplace, table)} == {native}

    # The same evaluation under its own name is done already; in the other precision it is another one.
    for dtype in ("float32", "bfloat16"):
        tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[entry | {"dtype": dtype}])
        assert bool(evaluate(next_spec(workplace)).reused) == (dtype == native)


def test_this_machine_has_a_native_dtype() -> None:
    assert machine.native_dtype("cpu") in ("float32", "bfloat16")


def test_one_bad_task_fails_alone(workplace: Path) -> None:
    bad = json.loads((workplace / "tasks" / "tiny_two.yaml").read_text())
    bad["doc_to_text"] = "{{question.nothing.here}}"
    (workplace / "tasks" / "tiny_two.yaml").write_text(json.dumps(bad))
    tiny.save_catalogue(workplace, tasks=["no_such_task", *TASKS], models=[tiny.model_entry("tiny-base", "model")])
    summary = evaluate(next_spec(workplace))
    assert summary.status == "failed"
    assert [task.task for task in summary.tasks] == ["tiny_one", "tiny_three"]
    assert set(summary.failures) == {"no_such_task", "tiny_two"}
    (run,) = rows(workplace, "evaluation_runs")
    assert run["status"] == "failed"
    assert set(json.loads(str(run["task_failures_json"]))) == {"no_such_task", "tiny_two"}
    planned = plan(load(workplace / "catalogue.yml"), workplace / "home")[0]
    assert planned.due
    assert planned.tasks_done == 2


AFTER_INFERENCE = {
    "scoring": "def fails(doc, results):\n    raise LookupError('no such answer')\n",
    # No table holds half of a character.
    "landing": "def fails(doc, results):\n    doc['gold'] = chr(0xD800)\n    return {'acc': 1.0}\n",
    "aggregation": "def fails(doc, results):\n    return {'acc': float('nan')}\n",
}


@pytest.mark.parametrize("place", AFTER_INFERENCE)
def test_what_fails_after_inference_fails_its_task_and_its_energy_lands(workplace: Path, place: str) -> None:
    (workplace / "tasks" / "scoring.py").write_text(AFTER_INFERENCE[place])
    task = json.loads((workplace / "tasks" / "tiny_two.yaml").read_text()) | {"process_results": "FUNCTION"}
    document = json.dumps(task | {"doc_to_target": "{{gold}}"})
    (workplace / "tasks" / "tiny_two.yaml").write_text(document.replace('"FUNCTION"', "!function scoring.fails"))
    tiny.save_catalogue(workplace, tasks=TASKS, models=[tiny.model_entry("tiny-base", "model")])
    summary = evaluate(next_spec(workplace), meter=replayed([0.001] * 20))
    assert (summary.status, list(summary.failures)) == ("failed", ["tiny_two"])
    assert [task.task for task in summary.tasks] == ["tiny_one", "tiny_three"]
    landed = [row for row in rows(workplace, "task_emissions") if row["task"] == "tiny_two"]
    assert {row["phase"] for row in landed} == {"inference", "scoring"}
    assert all(row["energy_kwh"] > 0 for row in landed)
    (inference,) = [row for row in landed if row["phase"] == "inference"]
    assert inference["tokens_computed"] > 0
    windows = [row["energy_kwh"] for row in rows(workplace, "task_emissions")]
    assert summary.energy_kwh == pytest.approx(sum(windows))
    for table in ("task_results", "samples"):
        assert {row["task"] for row in rows(workplace, table)} == {"tiny_one", "tiny_three"}
    # Its energy is history, and the task is still to be done.
    assert not warehouse.load(Home(workplace / "home")).quarantined
    planned = plan(load(workplace / "catalogue.yml"), workplace / "home")[0]
    assert (planned.due, planned.tasks_done) == (True, 2)
    again = evaluate(next_spec(workplace), meter=replayed([0.001] * 20))
    assert (list(again.failures), again.tasks) == (["tiny_two"], ())
    assert not warehouse.load(Home(workplace / "home")).quarantined


@pytest.mark.parametrize("engine", ["shared-prefix", "transformers"])
def test_requests_without_a_context_are_answered_and_counted(workplace: Path, engine: str) -> None:
    """Such a request is read behind the model's prefix token; unconditional ones are beside those with a context."""
    task = json.loads((workplace / "tasks" / "tiny_one.yaml").read_text())
    bare = task | {"task": "bare", "doc_to_text": "", "target_delimiter": ""}
    (workplace / "tasks" / "bare.yaml").write_text(json.dumps(bare))
    mutual = task | {"task": "mutual", "metric_list": [{"metric": "acc_mutual_info"}, {"metric": "acc"}]}
    (workplace / "tasks" / "mutual.yaml").write_text(json.dumps(mutual))
    tiny.save_catalogue(
        workplace, tasks=["bare", "mutual"], models=[tiny.model_entry("tiny-base", "model", engine=engine)]
    )
    summary = evaluate(next_spec(workplace))
    assert (summary.status, summary.failures) == ("completed", {})
    read = {row["task"]: row["tokens_prompt"] for row in rows(workplace, "samples")}
    # One token for each choice behind the prefix; behind five words, too, where the metric asks for both.
    assert read == {"bare": 2 * 2, "mutual": 2 * (5 + 1) + 2 * 2}


def start_evaluator(workplace: Path, spec: RunSpec) -> subprocess.Popen[str]:
    path = workplace / f"{spec.run_id}.json"
    path.write_text(spec.model_dump_json())
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "evaluators", str(path)], stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(words):
            return
    raise AssertionError(f"the evaluator ended without saying {words!r}")


def test_a_living_run_is_not_closed(workplace: Path) -> None:
    process = start_evaluator(workplace, next_spec(workplace))
    wait_for(process, "tiny-base on tiny")
    process.send_signal(signal.SIGSTOP)
    try:
        assert lifecycle.close_abandoned(workplace / "home" / "landing") == []
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def test_scores_equal_lm_evals_own_command_line(workplace: Path) -> None:
    """Same model, tasks, batch size and seeds: bit for bit the same metrics."""
    evaluate(next_spec(workplace))
    out = workplace / "lm_eval_out"
    subprocess.run(
        [
            *(sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--batch_size", "4", "--device", "cpu"),
            *("--model_args", f"pretrained={workplace / 'model'},dtype=float32"),
            *("--include_path", str(workplace / "tasks"), "--tasks", *TASKS, "tiny_text"),
            *("--output_path", str(out)),
        ],
        check=True,
        capture_output=True,
    )
    (path,) = out.rglob("results_*.json")
    theirs = json.loads(path.read_text())["results"]
    for row in rows(workplace, "task_results"):
        assert row["value"] == theirs[row["task"]][f"{row['metric']},{row['filter']}"]
        assert row["stderr"] == theirs[row["task"]][f"{row['metric']}_stderr,{row['filter']}"]


def test_a_short_window_is_flagged_in_its_row(workplace: Path) -> None:
    tiny.save_catalogue(workplace, tasks=TASKS[:1], models=[tiny.model_entry("tiny-base", "model")], meter="codecarbon")
    evaluate(next_spec(workplace))
    inference = [row for row in rows(workplace, "task_emissions") if row["phase"] == "inference"]
    assert inference
    for row in inference:
        assert ("too_short" in str(row["quality_flags"])) == (row["duration_s"] < 1)


def test_records_round_trip_through_the_landing(tmp_path: Path) -> None:
    from evaluators.process import rows as make

    record = make.emission(
        bundles.new_run_id(), "a_task", "scoring", dataclasses.replace(READING, flags=("too_short",))
    )
    bundles.write_bundle(tmp_path, record.run_id, "setup", [record])
    (bundle,) = bundles.bundles(tmp_path)
    assert pq.read_table(bundle.files["task_emissions"]).to_pylist() == [dataclasses.asdict(record)]
