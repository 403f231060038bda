"""Marts in a warehouse, without dbt."""

from __future__ import annotations

import duckdb

from orchestration.home import Home

NOTHING_METERED = """
create table mart_model_efficiency (
    model_key varchar, model_id varchar, suite varchar, score double, energy_kwh double, energy_known_kwh double,
    tasks_with_energy varchar, tasks_without_energy varchar, joules_per_correct double,
    comparability_key varchar, headline_rank bigint, basis varchar, is_current boolean
);
create table fct_task_evaluations (run_id varchar, model_key varchar, comparability_key varchar)
"""


def build_marts(home: Home, value: int) -> None:
    """What dbt leaves, in small."""
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("create schema if not exists marts; create schema if not exists raw")
        connection.execute("create or replace table raw.samples as select 'a secret answer' as answer")
        for mart in ("mart_a", "mart_b"):
            connection.execute(f"create or replace table marts.{mart} (value bigint not null, name varchar)")
            connection.execute(f"insert into marts.{mart} select ?, 'x' from range(3)", [value])
            connection.execute(f"comment on table marts.{mart} is 'it''s a mart; drop table marts.{mart}'")
            connection.execute(f"comment on column marts.{mart}.value is 'kWh × 2'")
