"""23. The evaluation's process is killed for memory: that model's row is failed with its reason, the others go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from evaluators import machine
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support import tiny
from tests.support.evaluations import evalwatt, rows, save_workplace

LIMIT_BYTES = 2_500_000_000  # for the command line, Dagster and one evaluator at a time; a gigabyte does
GROUPS = Path("/sys/fs/cgroup/memory") if Path("/sys/fs/cgroup/memory").is_dir() else Path("/sys/fs/cgroup")
GREED = """
def mean(values):
    kept = []
    while True:
        kept.append(b"x" * 2**26)
"""


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A model whose second task wants all memory that there is, and one that does not."""
    save_workplace(tmp_path, "tiny_one", "tiny_two", models=("large", "small"))
    (tmp_path / "tasks" / "greed.py").write_text(GREED)
    tiny.use_function(tmp_path / "tasks", "tiny_two", "aggregation", "greed.mean")
    catalogue = json.loads((tmp_path / "catalogue.yml").read_text())
    catalogue["suites"]["modest"] = catalogue["suites"]["tiny"] | {"tasks": ["tiny_one"]}
    catalogue["models"][1]["suites"] = ["modest"]
    (tmp_path / "catalogue.yml").write_text(json.dumps(catalogue))
    return tmp_path


@pytest.fixture
def limited() -> Iterator[tuple[str, ...]]:
    """Starts a program in a group of processes that may have so much memory, and no more."""
    group = GROUPS / f"evalwatt-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"this machine does not let a test limit the memory of its processes: {error.strerror}")
    try:
        limits = {"memory.limit_in_bytes": LIMIT_BYTES, "memory.max": LIMIT_BYTES, "memory.swap.max": 0}
        if not any((group / name).exists() for name in limits):
            pytest.skip("there is no memory controller for a test's processes")
        for name, value in limits.items():
            if (group / name).exists():
                (group / name).write_text(str(value))
        yield "sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"
    finally:
        group.rmdir()


def status_in_the_warehouse(folder: Path) -> dict[str, tuple[str, str | None]]:
    home = Home(folder / "data")
    assert warehouse.load(home).quarantined == []
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        found = connection.sql("select model_id, status, reason from raw.evaluation_runs").fetchall()
    return {model: (status, reason) for model, status, reason in found}


def test_the_kernel_kills_the_large_model_only(workplace: Path, limited: tuple[str, ...]) -> None:
    kills = machine.memory_kills()
    large = evalwatt(workplace, "evaluate", "large", wrapper=limited)
    assert machine.memory_kills() > kills, f"nothing was killed: {large.stderr}"
    assert large.returncode == 1
    assert "killed for memory; give it more, or choose a smaller batch_size, dtype or model" in large.stderr
    small = evalwatt(workplace, "evaluate", "small", wrapper=limited)
    assert small.returncode == 0, small.stderr
    ended = status_in_the_warehouse(workplace)
    assert ended["large"][0] == "failed"
    assert "killed for memory" in str(ended["large"][1])
    assert ended["small"] == ("completed", None)
    finished = [(row["task"], row["suite"]) for row in rows(workplace, "task_results")]
    assert finished == [("tiny_one", "tiny"), ("tiny_one", "modest")]


def test_a_killed_process_keeps_its_finished_tasks_and_its_row_has_a_reason(tmp_path: Path) -> None:
    """Whoever killed it: here the second task's own code, so that nothing has to be timed."""
    save_workplace(tmp_path, "tiny_one", "tiny_two")
    (tmp_path / "tasks" / "murder.py").write_text("import os\n\ndef mean(values):\n    os.kill(os.getpid(), 9)\n")
    tiny.use_function(tmp_path / "tasks", "tiny_two", "aggregation", "murder.mean")
    killed = evalwatt(tmp_path, "evaluate", "base")
    assert killed.returncode == 1
    assert "code -9" in killed.stderr
    status, reason = status_in_the_warehouse(tmp_path)["base"]
    assert status == "interrupted"
    assert "if nobody killed it, memory ran out" in str(reason)
    assert {row["task"] for row in rows(tmp_path, "task_results")} == {"tiny_one"}


def test_memory_that_is_refused_is_a_failed_row_too(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one", "tiny_two")
    (tmp_path / "tasks" / "greed.py").write_text(
        "import numpy\n\ndef mean(values):\n    return numpy.ones(2**56).mean()\n"
    )
    tiny.use_function(tmp_path / "tasks", "tiny_one", "aggregation", "greed.mean")
    from tests.support.evaluations import evaluate_all

    (summary,) = evaluate_all(tmp_path)
    assert set(summary.failures) == {"tiny_one"}
    assert "Unable to allocate" in summary.failures["tiny_one"]
    assert [task.task for task in summary.tasks] == ["tiny_two"]
