"""Fault 11: the same run landed twice.

The marts are unchanged.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from evaluators.landing.bundles import END_BUNDLE, bundles, new_run_id
from evaluators.records import RECORDS
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.two_nights import SOME_MARTS


def test_11_a_run_that_landed_twice_changes_no_mart(
    home: Home, marts: Callable[[Path], dict[str, list[tuple[Any, ...]]]]
) -> None:
    before, raw_before = marts(home.warehouse), _raw(home)
    runs = sorted({bundle.run_id for bundle in bundles(home.landing)})
    # Copied by hand under another id, and a bundle twice in its own run.
    shutil.copytree(home.landing / runs[0], home.landing / new_run_id())
    one = next(bundle for bundle in bundles(home.landing, runs[1]) if bundle.name != END_BUNDLE)
    shutil.copytree(one.path, one.path.with_name("f" * 32))

    report = warehouse.load(home)
    assert report.loaded_bundles == 0
    reasons = [reason for _, _, reason in report.quarantined]
    assert any("in the directory of run" in reason for reason in reasons)
    assert any("same key" in reason for reason in reasons)
    assert _raw(home) == raw_before
    dbt_build(home, *SOME_MARTS)
    assert marts(home.warehouse) == before


def _raw(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        return {
            record.table: connection.execute(f"from raw.{record.table} order by all").fetchall() for record in RECORDS
        }
