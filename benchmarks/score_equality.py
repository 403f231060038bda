"""Scores of the pipeline against lm-eval's own command line: same model, tasks, batch size and seeds, exactly equal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.subject import DOCUMENTS, scratch, subject, table
from evaluators import landing
from evaluators.catalogue import ModelEntry, SuiteEntry
from evaluators.harness import OUR_TASKS
from evaluators.run import evaluate
from evaluators.spec import RunSpec


def main() -> None:
    """Print both scores of every task and metric; ends with an error where one differs."""
    catalogue, entry, suite, local = subject()
    with scratch() as folder:
        home = Path(folder)
        plain = entry.model_copy(update={"source": "path", "path": str(local.path), "package": None, "file": None})
        evaluate(
            RunSpec(
                run_id=landing.new_run_id(),
                home=home,
                root=catalogue.path.parent,
                model=plain,
                lineage=(),
                suite=suite,
                settings=catalogue.settings,
                plan_key="benchmark",
            )
        )
        ours = {
            (row["task"], row["metric"], row["filter"]): row["value"]
            for bundle in landing.bundles(home / "landing")
            if "task_results" in bundle.files
            for row in pq.read_table(bundle.files["task_results"]).to_pylist()
        }
        theirs = _lm_eval(local.path, entry, suite, home)
    rows: list[tuple[str, ...]] = [("task", "metric", "lm_eval", "pipeline", "equal")]
    for (task, metric, filter_name), value in ours.items():
        other = theirs[task][f"{metric},{filter_name}"]
        rows.append((task, f"{metric},{filter_name}", repr(other), repr(value), str(value == other)))
    print(f"\n### Scores against the lm_eval command line, {DOCUMENTS} documents a task\n")
    print(table(rows))
    if any(row[-1] != "True" for row in rows[1:]):
        raise SystemExit("scores differ from lm_eval's")


def _lm_eval(model: Path, entry: ModelEntry, suite: SuiteEntry, home: Path) -> dict[str, dict[str, float]]:
    """lm_eval's results by task. Its command line knows one chat template setting a call, a suite one for each task."""
    results: dict[str, dict[str, float]] = {}
    for templated in (False, True):
        default = entry.chat_template
        tasks = [
            t.task
            for t in suite.tasks
            if (default if t.apply_chat_template is None else t.apply_chat_template) == templated
        ]
        out = home / f"lm_eval_{templated}"
        subprocess.run(
            [
                *(sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu"),
                *("--model_args", f"pretrained={model},dtype={entry.dtype}", "--batch_size", str(entry.batch_size)),
                *("--include_path", str(OUR_TASKS), "--limit", str(DOCUMENTS), "--output_path", str(out)),
                *(["--apply_chat_template"] if templated else []),
                *("--tasks", *tasks),
            ],
            check=True,
        )
        (path,) = out.rglob("results_*.json")
        results |= json.loads(path.read_text())["results"]
    return results
