"""Parts and stops from the landing to dbt's staging, beside whole evaluations that they do not touch."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import BuiltRun, TaskOutcome
from tests.support.parts import into_parts, land_stop


def test_parts_are_staged_beside_whole_evaluations(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    outcomes = [TaskOutcome("mc", [True, False] * 4, 800.0), TaskOutcome("gen", [True, True], 200.0, tokens_out=[3, 4])]
    run_id = BuiltRun(home.landing, "base", outcomes).land()
    part = into_parts(home.landing, run_id, "mc", (4, 6))
    land_stop(home.landing, run_id, [part])
    assert warehouse.load(home).quarantined == []
    staged = ["parts", "part_samples", "part_emissions", "stops", "samples", "task_results", "task_emissions"]
    dbt_build(home, "--select", *(f"stg_{table}" for table in staged), "--exclude-resource-type", "unit_test")
    with duckdb.connect(home.warehouse, read_only=True) as connection:

        def rows(query: str) -> list[tuple[object, ...]]:
            return connection.execute(query).fetchall()

        parts = "select task, first_place, last_place, documents_total, bundle from staging.stg_parts order by all"
        assert rows(parts) == [
            ("mc", 0, 3, 8, f"part-{part.evaluation}-0-3"),
            ("mc", 4, 5, 8, f"part-{part.evaluation}-4-5"),
        ]
        assert rows("select place from staging.stg_part_samples order by place") == [(place,) for place in range(6)]
        texts = "select column_name from duckdb_columns() where table_name = 'stg_part_samples'"
        assert {"answer", "target", "metrics_json"}.isdisjoint(name for (name,) in rows(texts)), "texts stay in raw"
        energy = "select round(sum(energy_kwh) * 3.6e6) from staging.stg_part_emissions where phase = 'inference'"
        assert rows(energy) == [(600,)]
        assert rows("select until, verdict, documents_asked from staging.stg_stops") == [("decided", "worse", 6)]
        for table in ("samples", "task_results"):
            assert rows(f"select distinct task from staging.stg_{table} where task != ''") == [("gen",)]
        sums = "select task, phase from staging.stg_task_emissions where is_sum_of_parts order by all"
        assert rows(sums) == [("mc", "inference"), ("mc", "scoring")]
