"""`python -m benchmarks.score_equality [--tasks PATTERN] [--limit N] [--layers N]`: are scores equal to lm-eval's?

Compares the pipeline with lm-eval's own command line and `--model hf`, on the same model, tasks and seeds, in float32;
scores must be exactly equal. The whole leaderboard is `--tasks leaderboard --limit 20`, where `hf` takes hours on two
cores; with `--layers 4` both sides use the model's first four layers, which is ten times faster, but scores lower.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.subject import DOCUMENTS, run_spec, scratch, subject, table
from benchmarks.tasks import suite_of
from evaluators.catalogue.entries import OUR_TASKS, ModelEntry, SuiteEntry
from evaluators.landing import bundles
from evaluators.process.run import evaluate


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both scores of every task and metric; ends with an error if one differs or a task failed."""
    options = _options(arguments)
    catalogue, entry, _, local = subject()
    with scratch() as folder:
        home = Path(folder)
        suite = suite_of(home / "tasks", options.tasks, options.limit)
        model = local.path if options.layers is None else _cut(local.path, options.layers, home / "model")
        # In half precision a batch's shape changes bits, so equal scores are promised for float32 only.
        changes = {"source": "path", "path": str(model), "package": None, "file": None, "dtype": "float32"}
        plain = entry.model_copy(update=changes)
        evaluate(run_spec(catalogue, plain, suite, home))
        ours = {
            (row["task"], row["metric"], row["filter"]): row["value"]
            for bundle in bundles.bundles(home / "landing")
            if "task_results" in bundle.files
            for row in pq.read_table(bundle.files["task_results"]).to_pylist()
        }
        theirs = lm_eval(model, plain, suite, home)
    rows: list[tuple[str, ...]] = [("task", "metric", "lm_eval", "pipeline", "equal")]
    for (task, metric, filter_name), value in ours.items():
        other = theirs[task][f"{metric},{filter_name}"]
        rows.append((task, f"{metric},{filter_name}", repr(other), repr(value), str(value == other)))
    print("\n### Scores against the lm_eval command line\n")
    print(table(rows))
    if missing := {task.task for task in suite.tasks} - {task for task, _, _ in ours}:
        raise SystemExit(f"without a score: {', '.join(sorted(missing))}")
    if any(row[-1] != "True" for row in rows[1:]):
        raise SystemExit("scores differ from lm_eval's")


def _cut(path: Path, layers: int, target: Path) -> Path:
    """Save the first layers of a model as a model."""
    AutoModelForCausalLM.from_pretrained(path, num_hidden_layers=layers).save_pretrained(target)
    AutoTokenizer.from_pretrained(path).save_pretrained(target)
    return target


def lm_eval(model: Path, entry: ModelEntry, suite: SuiteEntry, home: Path) -> dict[str, dict[str, float]]:
    """lm_eval's results by task. Its command line takes one folder, limit and chat template setting per call."""
    calls: dict[tuple[bool, int | None, Path], list[str]] = defaultdict(list)
    for task in suite.tasks:
        folder = OUR_TASKS if task.task.startswith("mini_") else home / "tasks"
        calls[bool(task.apply_chat_template), task.limit, folder].append(task.task)
    results: dict[str, dict[str, float]] = {}
    for number, ((templated, limit, folder), tasks) in enumerate(calls.items()):
        out = home / f"lm_eval_{number}"
        subprocess.run(
            [
                *(sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu"),
                *("--model_args", f"pretrained={model},dtype={entry.dtype}", "--batch_size", str(entry.batch_size)),
                *("--include_path", str(folder), "--limit", str(limit), "--output_path", str(out)),
                *(["--apply_chat_template"] if templated else []),
                *("--tasks", *tasks),
            ],
            check=True,
            env=os.environ | {"NLTK_DATA": str(home / "models" / "nltk_data")},  # created by our side, for IFEval
        )
        (path,) = out.rglob("results_*.json")
        results |= json.loads(path.read_text())["results"]
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.score_equality", description=__doc__)
    parser.add_argument("--tasks", default="mini", help="parts of task names, separated by commas")
    parser.add_argument("--limit", type=int, default=DOCUMENTS, help="documents per task")
    parser.add_argument("--layers", type=int, help="use only this many of the model's first layers")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
