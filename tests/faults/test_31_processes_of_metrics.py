"""31. Processes that a metric starts: they obey signals, and the evaluator ends with all of them within a stated time.

lm-eval estimates the error of a corpus metric (BLEU, F1, …) in a pool of forked processes, which it terminates.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from evaluators.harness.interruption import Interruption
from evaluators.landing import lifecycle
from evaluators.process import guard
from tests.support import tiny
from tests.support.evaluations import evaluate_all, rows, save_workplace, specs
from tests.support.processes import Evaluator, evaluator, is_living, wait_until

# Each ends with a metric that never ends by itself; `STARTED` appears when its processes run.
_METRICS = """
import ctypes, itertools, multiprocessing, os, signal, subprocess, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

FORK = multiprocessing.get_context("fork")
STARTED = Path(__file__).parents[1] / "started"

def deaf(_=None):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    STARTED.touch()
    time.sleep(3600)

def process(values):
    child = FORK.Process(target=deaf)
    child.start()
    child.join()

def pool(values):
    with FORK.Pool(2) as workers:
        workers.map(deaf, range(2))

def executor(values):
    with ProcessPoolExecutor(2, mp_context=FORK) as workers:
        list(workers.map(deaf, range(2)))

def fork(values):
    if (child := os.fork()) == 0:
        deaf()
    os.waitpid(child, 0)

def command(values):
    # The one that hangs is an orphan: the shell that started it has ended.
    subprocess.run("trap '' TERM INT; setsid sleep 3600 & touch '%s'" % STARTED, shell=True)
    time.sleep(3600)

def interpreter(values):
    # In C, which does not let the interpreter go: no handler and no thread of Python's runs.
    STARTED.touch()
    sum(itertools.repeat(0))

def ignored(values):
    deaf()

def left_behind(values):
    # The metric ends; Python would wait for its processes at its own exit.
    FORK.Process(target=deaf).start()
    ProcessPoolExecutor(1, mp_context=FORK).submit(deaf)
    while not STARTED.exists():
        time.sleep(0.01)
    return 0.5
"""

_GRACE_S = 2.0


def _soon() -> None:
    guard.GRACE_S = _GRACE_S


def _workplace(folder: Path, metric: str) -> Path:
    """Two tasks: one that is well, one whose metric is `metric`; returns what appears when its processes run."""
    save_workplace(folder, "tiny_one", "tiny_two")
    (folder / "tasks" / "metrics.py").write_text(_METRICS)
    tiny.use_function(folder / "tasks", "tiny_two", "aggregation", f"metrics.{metric}")
    return folder / "started"


def _tree(evaluator: Evaluator) -> list[psutil.Process]:
    root = psutil.Process(evaluator.process.pid)
    return [root, *root.children(recursive=True)]


def _living(tree: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in tree if is_living(one)]


def _spec(folder: Path) -> Path:
    (spec,) = specs(folder)
    order = folder / f"{spec.run_id}.json"
    order.write_text(spec.model_dump_json())
    return order


@pytest.mark.parametrize(
    ("metric", "number"),
    [
        *((metric, signal.SIGTERM) for metric in ("process", "pool", "executor", "fork", "command", "interpreter")),
        ("pool", signal.SIGINT),
    ],
)
def test_31_a_signal_ends_the_whole_tree_of_a_metric_that_hangs(
    tmp_path: Path, metric: str, number: signal.Signals
) -> None:
    started, landing = _workplace(tmp_path, metric), tmp_path / "data" / "landing"
    spec = _spec(tmp_path)
    with evaluator(spec, _soon) as hangs:
        hangs.wait_for_file(started)
        tree = _tree(hangs)
        hangs.send(number)
        assert hangs.end() == -signal.SIGKILL, hangs.said
        wait_until(lambda: not _living(tree), "the end of its processes")
        assert f"did not end within {_GRACE_S:g} s after {number.name} and was killed, with" in hangs.said
    assert {row["task"] for row in rows(tmp_path, "task_results")} == {"tiny_one"}
    assert lifecycle.close_abandoned(landing) == [spec.stem]
    with FileLock(tmp_path / "data" / "locks" / "device.lock").acquire(timeout=0):
        pass


def test_31_what_a_metric_leaves_behind_ends_with_the_evaluation(tmp_path: Path) -> None:
    started = _workplace(tmp_path, "left_behind")
    with evaluator(_spec(tmp_path)) as ends:
        ends.wait_for_file(started)
        tree = _tree(ends)
        assert ends.end() == 0, ends.said
        wait_until(lambda: not _living(tree), "the end of its processes")
    assert {row["task"] for row in rows(tmp_path, "task_results")} == {"tiny_one", "tiny_two"}


def test_31_an_evaluator_that_ignores_sigterm_is_killed_with_its_tree(tmp_path: Path) -> None:
    started = _workplace(tmp_path, "ignored")
    with evaluator(_spec(tmp_path)) as deaf:
        deaf.wait_for_file(started)
        assert deaf.process.pid is not None
        tree = _tree(deaf)
        assert guard.kill_tree(deaf.process.pid) == len(tree)
        assert deaf.end() == -signal.SIGKILL
        wait_until(lambda: not _living(tree), "the end of its processes")
    assert guard.kill_tree(tree[0].pid) == 0


def _wait() -> None:
    time.sleep(600)


def _by_process() -> int:
    child = multiprocessing.get_context("fork").Process(target=_wait)
    child.start()
    assert child.pid is not None
    return child.pid


def _by_executor() -> int:
    executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    pid = executor.submit(os.getpid).result()
    executor.submit(_wait)
    return pid


def _by_fork() -> int:
    child = os.fork()
    if child == 0:
        _wait()
    return child


def _by_popen() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


@pytest.fixture(params=[signal.SIG_DFL, signal.default_int_handler], ids=["default", "as Dagster sets it"])
def usual_handler(request: pytest.FixtureRequest) -> Iterator[None]:
    """What SIGTERM does before an evaluation."""
    before = signal.signal(signal.SIGTERM, request.param)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("start", [_by_process, _by_executor, _by_fork, _by_popen])
def test_31_children_end_at_sigterm_while_the_evaluator_notes_it(start: Callable[[], int], usual_handler: None) -> None:
    interruption = Interruption()
    with interruption.watching():
        for _ in range(5):
            child = psutil.Process(start())
            child.terminate()  # as early as can be
            wait_until(lambda child=child: not _living([child]), "the child's end")  # type: ignore[misc]
        interruption.check()  # theirs was not ours


def test_31_a_bootstrapped_metric_ends(tmp_path: Path) -> None:
    """lm-eval's own number of resamples takes mcc minutes, in a pool that it waits for."""
    save_workplace(tmp_path, "tiny_one")
    tiny.save_generation_task(tmp_path / "tasks", "tiny_text", documents=8)
    aggregations = {
        "tiny_text": {"bleu": "bleu", "chrf": "chrf", "ter": "ter"},
        "tiny_one": {"mcc": "matthews_corrcoef", "f1": "f1"},
    }
    for task, metrics in aggregations.items():
        file = tmp_path / "tasks" / f"{task}.yaml"
        document = json.loads(file.read_text())
        document["metric_list"] = [
            {"metric": metric, "aggregation": aggregation, "higher_is_better": metric != "ter"}
            for metric, aggregation in metrics.items()
        ]
        file.write_text(json.dumps(document))
    catalogue = json.loads((tmp_path / "catalogue.yml").read_text())
    catalogue["suites"]["tiny"]["tasks"] = list(aggregations)
    (tmp_path / "catalogue.yml").write_text(json.dumps(catalogue))
    (summary,) = evaluate_all(tmp_path)
    assert summary.status == "completed", summary.failures
    found = {row["metric"]: row["stderr"] for row in rows(tmp_path, "task_results")}
    assert found.keys() == set().union(*aggregations.values())
    assert all(stderr is not None for stderr in found.values())
