"""A night whose catalogue says `until: decided`, for real: one refresh, and a second night with nothing to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from tests.support import asked

pytestmark = pytest.mark.long


def evalwatt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, which has to succeed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EVALWATT_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments], cwd=folder, env=kept, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_a_night_asks_until_it_is_decided_and_the_next_asks_nothing(tmp_path: Path) -> None:
    of_base = {"kind": "fine_tuned", "base_model": "base"}
    models = {"other": of_base, "base": {}}  # the reference is evaluated first, whatever the catalogue's order
    asked.save(tmp_path, {"one": 200}, {"until": "decided"}, models)
    night = evalwatt(tmp_path, "run")
    said = night.stdout + night.stderr
    assert said.index("base on tiny") < said.index("other on tiny")
    assert "tiny: worse than base, 32 of 200 documents asked" in said
    assert said.count("loading, building and checking the marts") == 1
    assert said.count(" was published") == 1

    with duckdb.connect(Home(tmp_path / "data").marts, read_only=True) as marts:
        parts = marts.sql(
            "select model_id, documents_asked, documents_total, stop_reason from marts.fct_task_evaluations "
            "where not is_complete"
        ).fetchall()
        ranked = marts.sql("select model_id from marts.mart_model_efficiency where basis = 'measured'").fetchall()
        (verdict,) = marts.sql(
            "select score_verdict, score_test, documents_asked from marts.mart_base_vs_finetuned_deltas "
            "where scope = 'task'"
        ).fetchall()
    assert parts == [("other", 32, 200, "claim")]
    assert ranked == [("base",)]
    assert verdict == ("worse", "repeated_mcnemar", 32)

    second = evalwatt(tmp_path, "plan", "--json").stdout
    assert [run["due"] for run in json.loads(second)] == [False, False]
