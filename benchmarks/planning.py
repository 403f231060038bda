"""What planning costs with a large landing: a hundred entries and a thousand runs, against reading every `run.json`
once, the minimum that a plan has to do."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from benchmarks.subject import scratch, table
from evaluators.catalogue.entries import Catalogue, load
from evaluators.landing import lifecycle
from evaluators.landing.bundles import RUN_FILE, SUMMARY_FILE, TASKS_FILE, new_run_id, task_bundle
from evaluators.plan import PlannedRun, plan
from evaluators.records import SCHEMA_VERSION, EvaluationRun, columns

ENTRIES = 100
NIGHTS = 10
TASKS = [f"task_{number}" for number in range(6)]
ROUNDS = 5
_FIRST = datetime(2026, 1, 1, 2, tzinfo=UTC)
_ANY: dict[type, Any] = {str: "any", int: 1, float: 1.0, bool: False, datetime: _FIRST, date: _FIRST.date()}


def main() -> None:
    """Print both times."""
    with scratch() as folder:
        home, catalogue = Path(folder, "home"), _catalogue(Path(folder))
        for planned in plan(catalogue, home):
            for night in range(NIGHTS):
                _land(home / "landing", planned, _FIRST + timedelta(days=night))
        assert not any(planned.due for planned in plan(catalogue, home))
        reading = _median_s(lambda: [json.loads(path.read_bytes()) for path in home.glob(f"landing/*/{RUN_FILE}")])
        planning = _median_s(lambda: plan(catalogue, home))
    print(f"\n### Planning {ENTRIES} entries over {ENTRIES * NIGHTS} landed runs\n")
    rows = [("read every run.json once", reading), ("plan", planning)]
    print(table([("", f"seconds, median of {ROUNDS}"), *((what, f"{seconds:.3f}") for what, seconds in rows)]))


def _catalogue(root: Path) -> Catalogue:
    models = [
        {
            "name": f"model-{number}",
            "source": "hub",
            "repo": f"a/model-{number}",
            "revision": f"{number:040d}",
            "family": "invented",
            "provider": "community",
            "kind": "pretrained",
            "suites": ["suite"],
        }
        for number in range(ENTRIES)
    ]
    suites = {"suite": {"description": "invented", "tasks": TASKS}}
    path = root / "catalogue.yml"
    path.write_text(yaml.safe_dump({"suites": suites, "models": models}), encoding="utf-8")
    return load(path)


def _land(landing: Path, planned: PlannedRun, at: datetime) -> None:
    """Land a run that has evaluated every task, with what a plan reads of it."""
    run_id = new_run_id(at)
    known = {"run_id": run_id, "schema_version": SCHEMA_VERSION, "model_id": planned.model, "suite": planned.suite}
    values = {column.name: _ANY[column.type] for column in columns(EvaluationRun)} | known
    lifecycle.open_run(landing, EvaluationRun(**values | {"plan_key": planned.plan_key})).release()
    names = {task: task_bundle(f"{planned.model}/{task}", 1) for task in TASKS}
    for name in names.values():
        (landing / run_id / name).mkdir()
    tasks = {task: {"evaluation": name, "weight": 1.0} for task, name in names.items()}
    (landing / run_id / TASKS_FILE).write_text(json.dumps(tasks))
    done = {"metric": "acc", "score": 0.5, "stderr": None, "documents": 100, "duration_s": 10.0, "energy_kwh": 0.001}
    done |= {"energy_method": "measured", "tokens_prompt": 1, "tokens_generated": 1}
    summary: dict[str, object] = {
        "run_id": run_id,
        "model": planned.model,
        "suite": planned.suite,
        "status": "completed",
        "reason": None,
        "duration_s": 60.0,
        "energy_kwh": 0.006,
        "tasks": [{"task": task, **done} for task in TASKS],
        "reused": [],
        "failures": {},
    }
    (landing / run_id / SUMMARY_FILE).write_text(json.dumps(summary))


def _median_s(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
