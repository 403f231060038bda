"""Fault 39: an evaluation that is asked in chunks is stopped between two of them.

Asked places are kept, the rest is asked later, and the result is that of one go.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from evaluators.records import PartEmission, PartSample, Sample, Stop, TaskEmission, TaskResult
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support import asked, tiny
from tests.support.processes import evaluator

# The second chunk stands still, asked and answered, but not landed.
_HOLDING = """
import time
from pathlib import Path

HERE = Path(__file__).parents[1]  # not beside the task: its files are part of the plan
scored = []


def wait(doc, results):
    scored.append(doc)
    if len(scored) == 40 and not (HERE / "go").exists():
        (HERE / "held").touch()
        while not (HERE / "go").exists():
            time.sleep(0.01)
    (blue, _), (green, _) = results
    return {"acc": float((green > blue) == bool(doc["gold"]))}
"""
# What differs from run to run: times, and tokens that chunks read a little more often than one go.
_OF_A_RUN = {"run_id", "started_at", "ended_at", "duration_s", "foreign_programs", "is_sum_of_parts"}
_READ = {"tokens_computed", "tokens_distinct", "tokens_shared"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A fine-tune that is as good as its base is due; the base is evaluated."""
    of_base = {"kind": "fine_tuned", "base_model": "base"}
    asked.save(tmp_path, {"one": 120}, {"until": "decided", "margin": 6}, {"base": {}, "same": of_base})
    (tmp_path / "tasks" / "holding.py").write_text(_HOLDING)
    tiny.use_function(tmp_path / "tasks", "one", "process_results", "holding.wait")
    (tmp_path / "go").touch()
    asked.run(tmp_path, "base")
    (tmp_path / "go").unlink()
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_39_what_was_asked_is_kept_and_the_rest_is_asked_later(place: Path, number: signal.Signals) -> None:
    with evaluator(_write_spec(place)) as stopped:
        stopped.wait_for_file(place / "held")
        stopped.send(number)
        if number is signal.SIGTERM:
            (place / "go").touch()  # a chunk that is answered is landed
        stopped.end()
    (place / "go").touch()
    asked_first = _places(place)
    assert asked_first == list(range(32 if number is signal.SIGKILL else 45))
    warehouse.load(Home(place / "home"))
    found = asked.planned(place, "same")
    assert found.due
    assert f"asked in part, {len(asked_first)} of 120 documents" in found.reason

    asked.run(place, "same")  # the next night
    (stop,) = [row for row in tiny.rows(place, Stop.table) if not row["task"] and row["stop_reason"] == "claim"]
    assert stop["verdict"] == "equivalent"
    assert _places(place) == list(range(int(str(stop["documents_asked"])))), "none is asked twice"
    assert not asked.planned(place, "same").due

    completed = asked.run(place, "same", complete=True)  # a week later
    assert _places(place) == list(range(120))
    at_once = asked.run(place, "same", complete=True, force=True)
    for table in (TaskResult.table, Sample.table, TaskEmission.table):
        assert _rows(place, table, completed.run_id) == _rows(place, table, at_once.run_id)
    assert len(_rows(place, Sample.table, completed.run_id)) == 120


def test_39_no_more_than_a_twentieth_is_read_again(place: Path) -> None:
    (place / "go").touch()
    asked.run(place, "same")
    asked.run(place, "same", complete=True)
    windows = [row for row in tiny.rows(place, PartEmission.table) if row["phase"] == "inference"]
    at_once = asked.run(place, "same", complete=True, force=True).tasks[0].tokens_computed
    assert len(windows) > 3
    assert at_once is not None
    assert at_once <= sum(row["tokens_computed"] for row in windows) <= 1.05 * at_once  # type: ignore[misc]


def _write_spec(place: Path) -> Path:
    spec = asked.spec(place, "same")
    path = place / f"{spec.run_id}.json"
    path.write_text(spec.model_dump_json())
    return path


def _places(place: Path) -> list[int]:
    return sorted(int(str(row["place"])) for row in tiny.rows(place, PartSample.table))


def _rows(place: Path, table: str, run_id: str) -> list[dict[str, Any]]:
    """A run's rows as they would be in any other run."""
    found = [
        {name: value for name, value in row.items() if name not in _OF_A_RUN | _READ}
        for row in tiny.rows(place, table)
        if row["run_id"] == run_id and row["task"]
    ]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True, default=str))
