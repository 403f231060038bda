"""Fault 9: truncated or bit-flipped Parquet in the landing.

It is quarantined with its reason, and everything else loads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from evaluators.landing import bundles
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

OUTCOMES = (TaskOutcome("mc", [True, False], 100.0), TaskOutcome("gen", [True, True], 200.0, tokens_out=[3, 4]))


@pytest.mark.parametrize("table", ["samples", "task_emissions", "task_results"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: b"",
    ],
    ids=["truncated", "one byte short", "bit flipped", "empty"],
)
def test_09_a_damaged_file_is_quarantined_and_everything_else_loads(
    tmp_path: Path, table: str, damage: Callable[[bytes], bytes]
) -> None:
    home = Home(tmp_path)
    hurt, _ = (
        BuiltRun(home.landing, model, OUTCOMES, at=START + timedelta(hours=hour)).land()
        for hour, model in enumerate(("base", "tuned"))
    )
    bundle = next(b for b in bundles.bundles(home.landing, hurt) if bundles.is_task_bundle(b.name))
    path = bundle.files[table]
    path.write_bytes(damage(path.read_bytes()))

    report = warehouse.load(home)
    ((run_id, name, reason),) = report.quarantined
    assert (run_id, name) == (hurt, bundle.name)
    assert path.name in reason
    assert "damaged" in reason
    facts = json.loads((home.quarantine / hurt / bundle.name / "reason.json").read_text())
    assert facts["reason"] == reason
    assert (report.loaded_runs, report.loaded_bundles) == (2, 7)
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        assert connection.sql("select count(*) from raw.samples").fetchall() == [(6,)]
    assert warehouse.load(home).quarantined == []
