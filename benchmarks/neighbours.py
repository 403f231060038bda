"""The effect of other programs: our evaluation and lm-eval's own command line alongside zero, one and two busy loops.

For ours: each task's seconds, and its CPU and memory energy relative to no loops, which `modelled_own_time` should
keep at 1; for lm-eval's `hf`: seconds and CPU seconds of the whole process. Both sides evaluate the suite `mini`,
each in its own process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.score_equality import lm_eval
from benchmarks.subject import run_spec, scratch, subject, table
from evaluators.catalogue.entries import Catalogue, ModelEntry, SuiteEntry
from evaluators.energy.cpu_time import share_of_machine
from evaluators.landing import bundles
from evaluators.models.sources import LocalModel

LOOPS = (0, 1, 2)
OUR_DOCUMENTS = 60  # windows of seconds
THEIR_DOCUMENTS = 6


def main() -> None:
    """Print both tables."""
    catalogue, entry, suite, local = subject()
    plain = entry.model_copy(update={"source": "path", "path": str(local.path), "package": None, "file": None})
    ours: dict[int, dict[str, dict[str, float]]] = {}
    theirs: dict[int, tuple[float, float]] = {}
    for loops in LOOPS:
        with scratch() as folder, _busy(loops):
            ours[loops] = _ours(catalogue, plain, _asked(suite, OUR_DOCUMENTS), Path(folder))
        with scratch() as folder, _busy(loops):
            theirs[loops] = _theirs(plain, _asked(suite, THEIR_DOCUMENTS), local, Path(folder))
    rows: list[tuple[str, ...]] = [("task", "busy loops", "seconds", "CPU energy", "memory energy", "foreign share")]
    for task, quiet in ours[0].items():
        for loops in LOOPS:
            row = ours[loops][task]
            ratios = (row[name] / quiet[name] for name in ("cpu_energy_kwh", "ram_energy_kwh"))
            rows.append(
                (task, str(loops), f"{row['duration_s']:.1f}", *(f"{r:.2f}" for r in ratios), f"{row['share']:.2f}")
            )
    print("\n### Alongside other programs\n")
    print(table(rows))
    print()
    print(
        table(
            [
                ("lm_eval --model hf, busy loops", "seconds", "CPU seconds"),
                *((str(loops), f"{wall_s:.0f}", f"{cpu_s:.0f}") for loops, (wall_s, cpu_s) in theirs.items()),
            ]
        )
    )


def _asked(suite: SuiteEntry, documents: int) -> SuiteEntry:
    tasks = tuple(task.model_copy(update={"limit": documents}) for task in suite.tasks)
    return suite.model_copy(update={"tasks": tasks, "repetitions": 1})


@contextmanager
def _busy(loops: int) -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _ours(catalogue: Catalogue, entry: ModelEntry, suite: SuiteEntry, home: Path) -> dict[str, dict[str, float]]:
    """The inference windows by task, with the share of the machine's CPU time that other programs used."""
    file = home / "spec.json"
    file.write_text(run_spec(catalogue, entry, suite, home).model_dump_json(), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "evaluators", str(file)], check=True)
    found = {}
    for bundle in bundles.bundles(home / "landing"):
        for row in (
            pq.read_table(bundle.files["task_emissions"]).to_pylist() if "task_emissions" in bundle.files else ()
        ):
            if row["phase"] == "inference" and row["repetition"] == 1:
                found[row["task"]] = row | {"share": share_of_machine(row["foreign_cpu_s"], row["duration_s"])}
    return found


def _theirs(entry: ModelEntry, suite: SuiteEntry, local: LocalModel, home: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of lm-eval's command line."""
    wall_s, cpu_s = -time.perf_counter(), -_children_cpu_s()
    lm_eval(local.path, entry, suite, home)
    return wall_s + time.perf_counter(), cpu_s + _children_cpu_s()


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
