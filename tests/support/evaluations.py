"""Evaluations of small models for the tests of faults: in this process, or as processes that can be harmed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evaluators.catalogue.entries import load
from evaluators.energy import Meter
from evaluators.landing import bundles
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from evaluators.spec import RunSpec
from evaluators.summary import RunSummary
from tests.support import tiny


def save_workplace(
    folder: Path, *tasks: str, models: tuple[str, ...] = ("base",), engine: str = "shared-prefix", **settings: object
) -> Path:
    """A catalogue with small models of those names and tasks for them. It meters nothing unless the settings say so."""
    for seed, name in enumerate(models):
        tiny.save_model(folder / name, seed=seed)
    tiny.save_tasks(folder / "tasks", tasks)
    entries = [tiny.model_entry(name, name, engine=engine) for name in models]
    tiny.save_catalogue(folder, tasks=list(tasks), models=entries, **({"meter": "none"} | settings))
    return folder


def specs(folder: Path) -> list[RunSpec]:
    """The orders for all that is due, as Dagster's asset makes them."""
    catalogue = load(folder / "catalogue.yml")
    return [make_spec(catalogue, run, folder / "data") for run in plan(catalogue, folder / "data") if run.due]


def evaluate_all(folder: Path, meter: Meter | None = None) -> list[RunSummary]:
    return [evaluate(spec, meter=meter) for spec in specs(folder)]


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """What was landed."""
    found: list[dict[str, Any]] = []
    for bundle in bundles.bundles(folder / "data" / "landing"):
        if table in bundle.files:
            found += pq.read_table(bundle.files[table]).to_pylist()
    return found


def start_evaluator(
    folder: Path, spec: RunSpec, *wrapper: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """The evaluator's process, inside another program where one is named. It talks on standard error."""
    path = folder / f"{spec.run_id}.json"
    path.write_text(spec.model_dump_json())
    return subprocess.Popen(
        [*wrapper, sys.executable, "-m", "evaluators", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
    )


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read what the evaluator says until a line begins with `words`."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(words):
            return
    raise AssertionError(f"the evaluator ended without saying {words!r}: {''.join(said)}")


def evalwatt(
    folder: Path, *arguments: str, wrapper: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own, in `folder`, with nothing of this machine's settings."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("EVALWATT_", "DAGSTER_"))}
    return subprocess.run(
        [*wrapper, sys.executable, "-m", "orchestration.cli", *arguments],
        cwd=folder,
        env=inherited | dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )


def may_unshare(*options: str) -> bool:
    """Whether this machine gives a process namespaces of its own."""
    try:
        return subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
