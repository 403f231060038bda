"""`python -m benchmarks.until`: what `until: decided` saves, and whether it finds what asking everything finds.

The catalogue's first model is compared with its fine-tune, and with an adapter of zeros: the same model under another
name, which is asked in another order. Both are asked until it is decided, and everything, in one process and one after
the other. Tasks are lm-eval's own on the benchmark data of EVALWATT_TEST_DATA: ARC, judged as one suite; three tasks of
BBH with short prompts, and GSM8K answered with a number alone, each judged by itself. ARC and GSM8K are random samples:
all of it, and GSM8K's reasoning, would take hours on two cores. BBH is no suite here, because a small model is at
chance in it, where a suite's score stops falling and nothing is decided.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from typing import TypeVar

import peft
import yaml
from transformers import AutoModelForCausalLM

from benchmarks.subject import scratch, subject, table
from benchmarks.tasks import DATA, written
from evaluators.catalogue.entries import Catalogue, SuiteEntry, load
from evaluators.landing import bundles
from evaluators.models.sources import prepare
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from evaluators.records import PartEmission, Record, Sample, Stop, TaskEmission, TaskResult
from evaluators.spec import Spent
from evaluators.statistics import decided, suites
from evaluators.statistics.decided import Estimate, Verdict
from evaluators.statistics.paired import Pairs
from orchestration.home import Home

BASE, FINE_TUNED, ZEROS = "base", "fine-tuned", "adapter-of-zeros"
BBH = ("boolean_expressions", "hyperbaton", "sports_understanding")
ARC_DOCUMENTS, GSM8K_DOCUMENTS = 500, 200  # of 2,376 and 1,172, and of 1,319

Row = TypeVar("Row", bound=Record)


@dataclass
class Landed:
    """What a run has landed, by task. Only where everything was asked are there results and answers."""

    used: dict[str, Spent] = field(default_factory=dict)  # for answering and scoring
    stops: list[Stop] = field(default_factory=list)
    results: dict[str, TaskResult] = field(default_factory=dict)
    correct: dict[str, dict[int, bool]] = field(default_factory=dict)  # by document


def main() -> None:
    """Print a table with a row per model and question."""
    if not (DATA / "make_tasks.py").is_file():
        print(f"\nNo benchmark data in {DATA}: skipping `until: decided`; set EVALWATT_TEST_DATA to its folder")
        return
    rows: list[tuple[str, ...]] = [
        ("model", "question", "documents", "asked", "energy", "seconds", "stopped by", "points", "verdict")
    ]
    rows[0] += ("points in full", "verdict in full")
    with scratch() as folder:
        catalogue = _catalogue(Path(folder))
        full, until = Path(folder, "full"), Path(folder, "until")
        for suite in catalogue.suites.values():
            reference = _evaluated(catalogue, BASE, suite, full, complete=True)
            copytree(full / "landing" / reference, until / "landing" / reference)
            for model, order in ((FINE_TUNED, (full, until)), (ZEROS, (until, full))):  # so that no side gains by drift
                runs = {home: _evaluated(catalogue, model, suite, home, complete=home == full) for home in order}
                whole, part = (landed(home / "landing", runs[home]) for home in (full, until))
                rows += compared(model, landed(full / "landing", reference), whole, part)
    print("\n### Asked until it is decided\n")
    print(table(rows))


def landed(landing: Path, run_id: str) -> Landed:
    """Read what a run has landed of its tasks."""
    found = Landed()
    for bundle in bundles.bundles(landing, run_id):
        found.stops += _rows(bundle, Stop)
        found.results |= {result.task: result for result in _rows(bundle, TaskResult) if result.is_primary}
        for sample in _rows(bundle, Sample):
            found.correct.setdefault(sample.task, {})[sample.document_id] = bool(sample.correct)
        once = [window for window in _rows(bundle, TaskEmission) if window.task and not window.is_sum_of_parts]
        for window in (*once, *_rows(bundle, PartEmission)):
            used = found.used.get(window.task, Spent())
            found.used[window.task] = used + Spent(window.duration_s, window.energy_kwh)
    return found


def compared(model: str, reference: Landed, whole: Landed, part: Landed) -> list[tuple[str, ...]]:
    """A row for each question of a suite: what was asked and found, beside what asking everything takes and finds.

    Energy and seconds are ratios. Ends the program where a task was asked in full without a look.
    """
    if unjudged := whole.results.keys() - {task for stop in part.stops for task in _weights(stop)}:
        raise SystemExit(f"{model}: asked in full without a look: {', '.join(sorted(unjudged))}")
    return [_row(model, stop, reference, whole, part) for stop in sorted(part.stops, key=lambda stop: stop.task)]


def _row(model: str, stop: Stop, reference: Landed, whole: Landed, part: Landed) -> tuple[str, ...]:
    asked, everything = (sum((of.used[task] for task in _weights(stop)), Spent()) for of in (part, whole))
    estimate, verdict = _in_full(stop, reference, whole)
    return (
        model,
        stop.task.removeprefix("local_").removeprefix("leaderboard_") or f"all of {stop.suite}",
        str(stop.documents_total),
        _ratio(stop.documents_asked, stop.documents_total),
        _ratio(asked.energy_kwh, everything.energy_kwh),
        _ratio(asked.duration_s, everything.duration_s),
        _words(stop.stop_reason),
        "" if stop.low is None or stop.high is None else f"{(stop.low + stop.high) / 2:.1f}",
        _words(stop.verdict),
        "" if estimate is None else f"{estimate.difference:.1f}",
        _words(verdict),
    )


def _in_full(stop: Stop, reference: Landed, whole: Landed) -> tuple[Estimate | None, Verdict | None]:
    """The difference in points, and what it shows, once everything is asked and looked at once, as the marts do."""
    assert stop.margin_points is not None
    pairs = {task: _pairs(reference.correct[task], whole.correct[task]) for task in _weights(stop)}
    if stop.task:
        found = pairs[stop.task]
        verdict = decided.of_task([found], found.asked, stop.margin_points).verdict
        return decided.task_estimate(found, found.asked), verdict
    tasks, standings = [], []
    for task, weight in _weights(stop).items():
        found = pairs[task]
        tasks.append(suites.Task(found.asked, weight, whole.results[task].chance))
        standings.append(suites.standing_of_pairs(found, sum(reference.correct[task].values()), found.asked))
    estimate = suites.estimate(tasks, [task.total for task in tasks], standings)
    return estimate, decided.of_suite([estimate], (1.0,), (1.0,), stop.margin_points).verdict


def _rows(bundle: bundles.Bundle, record: type[Row]) -> list[Row]:
    return bundles.rows(bundle, record) if record.table in bundle.files else []


def _pairs(first: dict[int, bool], second: dict[int, bool]) -> Pairs:
    gained = sum(second[document] > correct for document, correct in first.items())
    return Pairs(len(first), gained, gained + sum(first.values()) - sum(second.values()))


def _weights(stop: Stop) -> dict[str, float]:
    """Of the tasks that the stop is about."""
    return {task: of["weight"] for task, of in json.loads(stop.tasks_json).items() if stop.task in ("", task)}


def _ratio(asked: float | None, everything: float | None) -> str:
    return f"{asked / everything:.2f}" if asked is not None and everything else "unknown"


def _words(code: str | None) -> str:
    return "not decided yet" if code is None else code.replace("_", " ")


def _evaluated(catalogue: Catalogue, model: str, suite: SuiteEntry, home: Path, *, complete: bool) -> str:
    """Evaluate the model as a night would; returns the run's id."""
    (planned,) = plan(catalogue, home, models=[model], suites=[suite.name], complete=complete)
    spec = make_spec(catalogue, planned, home, complete=complete)
    summary = evaluate(spec)
    if summary.status != "completed":
        raise SystemExit(f"{model} on {suite.name}: {summary.reason}")
    return spec.run_id


def _catalogue(folder: Path) -> Catalogue:
    """The three models; ARC as one question, the other tasks each as its own."""
    own, entry, _, local = subject()
    fine_tuned = next(model for model in own.models if model.base_model == entry.name)
    tuned = prepare(
        fine_tuned, {model.name: model for model in own.models}, Home.from_env().path, own.path.parent, print
    )
    models = [
        {"name": BASE, "path": str(local.path), "kind": "other"},
        {"name": FINE_TUNED, "path": str(tuned.path), "kind": "fine_tuned", "base_model": BASE},
        {"name": ZEROS, "path": str(_zeros(local.path, folder / "zeros")), "kind": "adapter", "base_model": BASE},
    ]
    # In half precision answers depend on which documents are asked together.
    common = {"source": "path", "family": entry.family, "provider": "own", "dtype": "float32"}
    names = [f"local_leaderboard_bbh_{name}" for name in BBH]
    alone: list[dict[str, str | float]] = [{"task": name, "primary": "acc_norm"} for name in names]
    alone.append({"task": "gsm8k_short", "primary": "exact_match", "chance": 0.0})
    arc = [{"task": name, "primary": "acc_norm"} for name in ("arc_easy", "arc_challenge")]
    shared = {"include_path": str(_tasks(folder / "tasks")), "description": "compared"}
    content = {
        "settings": {"country_iso_code": own.settings.country_iso_code},
        "suites": {
            "alone": shared | {"tasks": [task | {"until": "decided"} for task in alone]},
            "arc": shared | {"until": "decided", "tasks": arc},
        },
        "models": [model | common | {"suites": ["alone", "arc"]} for model in models],
    }
    path = folder / "catalogue.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load(path)


def _zeros(base: Path, target: Path) -> Path:
    """Save an adapter that adds nothing: peft starts one of LoRA's two matrices with zeros."""
    config = peft.LoraConfig(r=1, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(str(target))
    return target


def _tasks(folder: Path) -> Path:
    """Write the task files, the samples among them.

    GSM8K's examples give a number and nothing else, and are the same for every document. Eight tokens are more than any
    answer has.
    """
    written(folder)
    number = [{"function": "regex", "regex_pattern": r"(-?[0-9][0-9,]*)"}, {"function": "take_first"}]
    gsm8k = {
        "doc_to_target": "{{answer.split('####')[-1].strip()}}",
        "fewshot_config": {"sampler": "first_n"},
        "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": 8},
        "filter_list": [{"name": "first-number", "filter": number}],
    }
    train = {"train": str(DATA / "benchmarks" / "gsm8k" / "train.jsonl")}
    for name, source, files, documents, changes in (
        ("arc_easy", "classics/arc_easy.jsonl", {}, ARC_DOCUMENTS, {}),
        ("arc_challenge", "classics/arc_challenge.jsonl", {}, ARC_DOCUMENTS, {}),
        ("gsm8k_short", "gsm8k/test.jsonl", train, GSM8K_DOCUMENTS, gsm8k),
    ):
        lines = (DATA / "benchmarks" / source).read_text(encoding="utf-8").splitlines()
        sample = folder / f"{name}.jsonl"
        sample.write_text("\n".join(random.Random(0).sample(lines, documents)), encoding="utf-8")
        task = {
            "include": str(folder / f"local_{name.removesuffix('_short')}.yaml"),
            "task": name,
            "dataset_kwargs": {"data_files": files | {"test": str(sample)}},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task | changes), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
