"""The marts on a small landing whose every figure can be worked out by hand.

Two nights are loaded and built incrementally, then everything is rebuilt from the landing (`metered_nights`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from evaluators.records import RECORDS
from orchestration.dbt_artifacts.column_lineage import column_lineage
from orchestration.home import MARTS_FILE, PROJECT, Home
from orchestration.warehouse.built_tables import built_tables
from tests.support.dbt_runner import dbt
from tests.support.example_queries import OWN, answer_to
from tests.support.metered_nights import GEN, KWH, MC, NIGHT_2, OTHER_SETTINGS, TUNED_GEN, TUNED_MC

MARTS = (
    "dim_models",
    "fct_evaluation_runs",
    "fct_task_evaluations",
    "fct_samples",
    "mart_model_efficiency",
    "mart_base_vs_finetuned_deltas",
    "mart_emissions_history",
    "mart_verbosity",
    "mart_size_bucket_comparison",
    "fct_leaderboard_evaluations",
    "mart_carbon_scenarios",
    "mart_family_deltas",
    "mart_pareto_frontier",
    "mart_provider_comparison",
    "mart_study_claims",
    "mart_gates",
)


Rows = list[dict[str, Any]]


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> Rows:
    result = connection.execute(query, list(values))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture(scope="module")
def first(homes: dict[str, Home]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(homes["first"].warehouse, read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def second(homes: dict[str, Home]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(homes["second"].warehouse, read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def rebuilt(homes: dict[str, Home]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(homes["rebuilt"].warehouse, read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def decided(homes: dict[str, Home]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(homes["decided"].warehouse, read_only=True) as connection:
        yield connection


def _efficiency(
    connection: duckdb.DuckDBPyConnection, model: str, machine: str = "m1", suite: str = "mini"
) -> dict[str, Any]:
    query = "select * from marts.mart_model_efficiency where model_id = ? and machine_id = ? and suite = ?"
    (row,) = _rows(connection, query, model, machine, suite)
    return row


def _delta(connection: duckdb.DuckDBPyConnection, task: str, suite: str = "mini") -> dict[str, Any]:
    query = "select * from marts.mart_base_vs_finetuned_deltas where task = ? and suite = ?"
    (row,) = _rows(connection, query, task, suite)
    return row


def test_the_models_unit_tests_hold(homes: dict[str, Home], tmp_path: Path) -> None:
    """dbt's own, on rows that the models' descriptions give; a refresh leaves them out."""
    shutil.copy(homes["second"].warehouse, tmp_path)  # others read the file itself meanwhile
    done = dbt(Home(tmp_path), "test", "--resource-type", "unit_test")
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"PASS=[1-9]", done.stdout)


def test_a_landing_is_as_fresh_as_its_newest_run(homes: dict[str, Home], tmp_path: Path) -> None:
    home = Home(tmp_path)
    shutil.copy(homes["second"].warehouse, home.warehouse)
    done = dbt(home, "source", "freshness")
    assert done.returncode == 1, done.stdout
    (source,) = json.loads((home.dbt_target / "sources.json").read_bytes())["results"]
    assert source["unique_id"] == "source.evalwatt.raw.evaluation_runs"
    assert source["status"] == "error"
    assert source["max_loaded_at"].startswith(f"{NIGHT_2:%Y-%m-%dT%H}")


def test_efficiency_of_the_base(first: duckdb.DuckDBPyConnection) -> None:
    row = _efficiency(first, "base")
    # 3000 J; 400 tokens, 20 requests, 11 right answers; 200 s at 10 W idle; 100 J of scoring, 400 J around the tasks
    assert row["score"] == pytest.approx((100 * (0.6 - 0.25) / 0.75 + 50) / 2)
    assert row["score_unnormalised"] == pytest.approx(55)
    assert row["energy_kwh"] == pytest.approx(3000 / KWH)
    assert row["net_energy_kwh"] == pytest.approx((3000 - 10 * 200) / KWH)
    assert row["emissions_kg"] == pytest.approx(3000 / KWH * 1.5 * 400 / 1000)
    assert row["joules_per_token"] == pytest.approx(3000 / 400)
    assert (row["tokens_computed"], row["tokens_shared"]) == (300, 100)
    assert row["joules_per_token_computed"] == pytest.approx(3000 / 300)
    assert row["joules_per_generated_token"] == pytest.approx(2000 / 200)
    assert row["joules_per_request"] == pytest.approx(150)
    assert row["joules_per_correct"] == pytest.approx(3000 / 11)
    assert row["tokens_out_per_request"] == 20
    shares = [row[f"{phase}_share"] for phase in ("inference", "scoring", "idle", "load", "warmup")]
    assert shares == pytest.approx([3000 / 3500, 100 / 3500, 100 / 3500, 200 / 3500, 100 / 3500])
    assert (row["energy_method"], row["boundary"]) == ("cpu modelled, ram modelled", "cpu+ram")
    assert (row["basis"], row["as_of"], row["bucket"]) == ("measured", date(2026, 3, 1), "< 3 B")
    assert (row["score_reason"], row["energy_reason"], row["joules_per_correct_reason"]) == (None, None, None)


def test_an_engine_that_does_not_count_has_no_energy_per_computed_token(first: duckdb.DuckDBPyConnection) -> None:
    # Of the doubtful model's tasks one is counted and one is not.
    for row in (_efficiency(first, "tuned"), _efficiency(first, "doubtful")):
        assert row["tokens_computed"] is row["tokens_shared"] is row["joules_per_token_computed"] is None
        assert row["tokens_prompt"] == 200
    counted = _rows(
        first,
        "select task, tokens_unshared, tokens_computed, tokens_padding, tokens_shared, tokens_distinct, "
        "joules_per_token_computed from marts.fct_task_evaluations "
        "where model_id = 'base' and machine_id = 'm1' and suite = 'mini' order by task",
    )
    assert [tuple(row.values()) for row in counted] == [
        ("gen", 290, 250, 0, 40, 250, pytest.approx(2000 / 250)),
        ("mc", 100, 50, 10, 60, 40, pytest.approx(1000 / 50)),
    ]


def test_energies_are_compared_inside_a_key_only(first: duckdb.DuckDBPyConnection) -> None:
    here, elsewhere = _efficiency(first, "base"), _efficiency(first, "base", machine="m2")
    assert here["comparability_key"].startswith("machine=m1 | device=cpu (chip) | precision=bfloat16 | engine=")
    assert here["comparability_hash"] != elsewhere["comparability_hash"]
    assert elsewhere["energy_kwh"] == pytest.approx(30_000 / KWH)
    assert (elsewhere["energy_rank"], elsewhere["score_rank"]) == (1, 1)
    assert [_efficiency(first, model)["energy_rank"] for model in ("tuned", "base")] == [1, 2]
    deltas = _rows(first, "select distinct comparability_key from marts.mart_base_vs_finetuned_deltas")
    assert {row["comparability_key"] for row in deltas} == {
        here["comparability_key"],
        _efficiency(first, "base", suite="repeated")["comparability_key"],
    }
    keys = _rows(
        first,
        "select comparability_key, sum(n) as n from marts.mart_size_bucket_comparison "
        "where params_source = 'counted' group by all",
    )
    # base and tuned here (slow and doubtful have no figures), base elsewhere, both repeated, and the small suite's
    # task on either machine: an evaluation answers every suite that asks for it
    assert sorted(row["n"] for row in keys) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("mart", [mart for mart in MARTS if mart != "mart_emissions_history"])
def test_no_row_of_a_mart_takes_anything_from_another_key(homes: dict[str, Home], mart: str) -> None:
    """Not the history: it adds up what a machine took, and compares nothing."""
    with duckdb.connect(homes["mixed"].warehouse, read_only=True) as connection:
        connection.execute(f"attach '{homes['first'].warehouse}' as alone (read_only)")
        # Which key comes first is a question about all of them.
        figures = "* exclude (headline_rank)" if mart == "mart_model_efficiency" else "*"
        changed = _rows(
            connection, f"select {figures} from alone.marts.{mart} except select {figures} from marts.{mart}"
        )
        assert changed == []
        (counted,) = _rows(
            connection, "select count(distinct comparability_key) as keys from marts.mart_model_efficiency"
        )
        assert counted["keys"] >= 3 + len(OTHER_SETTINGS), "the other settings are in no key"


def test_an_unfinished_suite_and_a_doubtful_energy_have_reasons_and_no_figures(
    first: duckdb.DuckDBPyConnection,
) -> None:
    slow = _efficiency(first, "slow")
    assert (slow["tasks_covered"], slow["tasks_planned"]) == (1, 2)
    assert slow["score"] is slow["energy_kwh"] is slow["joules_per_correct"] is None
    assert slow["score_reason"] == slow["energy_reason"] == "1 of 2 tasks are evaluated"
    doubtful = _efficiency(first, "doubtful")
    assert doubtful["score"] is not None
    assert doubtful["energy_kwh"] is doubtful["emissions_kg"] is doubtful["energy_rank"] is None
    assert doubtful["energy_reason"] == "mc: flagged too_short"
    (shown,) = _rows(
        first,
        "select energy_kwh, quality_flags, energy_reason from marts.fct_task_evaluations "
        "where model_id = 'doubtful' and task = 'mc'",
    )
    assert shown == {"energy_kwh": 1 / KWH, "quality_flags": "too_short", "energy_reason": "flagged too_short"}


def test_a_suite_that_reuses_another_suites_task_has_its_row(first: duckdb.DuckDBPyConnection) -> None:
    row = _efficiency(first, "base", suite="small")
    assert (row["tasks_covered"], row["tasks_planned"], row["energy_reason"]) == (1, 1, None)
    assert row["energy_kwh"] == pytest.approx(1000 / KWH)
    assert row["comparability_key"].endswith("suite=small@s1")


def test_a_killed_run_is_completed_by_the_next(second: duckdb.DuckDBPyConnection) -> None:
    row = _efficiency(second, "slow")
    assert row["score"] == pytest.approx((100 * (0.7 - 0.25) / 0.75 + 20) / 2)
    assert row["energy_kwh"] == pytest.approx(9000 / KWH)
    # both runs idled, loaded and warmed up
    assert row["load_share"] == pytest.approx(400 / (9000 + 100 + 800))


def test_a_later_evaluation_supersedes_an_earlier_one(second: duckdb.DuckDBPyConnection) -> None:
    row = _efficiency(second, "base")
    assert row["energy_kwh"] == pytest.approx(5000 / KWH)
    assert row["as_of"] == date(2026, 3, 2)
    kept = _rows(
        second,
        "select energy_kwh from marts.fct_task_evaluations "
        "where model_id = 'base' and machine_id = 'm1' and suite = 'mini' and task = 'gen' order by started_at",
    )
    assert [r["energy_kwh"] for r in kept] == pytest.approx([2000 / KWH, 4000 / KWH])


def test_an_excluded_run_is_shown_and_no_figure_rests_on_it(
    first: duckdb.DuckDBPyConnection, decided: duckdb.DuckDBPyConnection
) -> None:
    row = _efficiency(decided, "base")
    assert row["energy_kwh"] == pytest.approx(3000 / KWH)
    assert row["as_of"] == date(2026, 3, 1)
    shown = _rows(
        decided,
        "select energy_kwh, is_valid, invalid_reason from marts.fct_task_evaluations "
        "where model_id = 'base' and machine_id = 'm1' and suite = 'mini' and task = 'gen' order by started_at",
    )
    assert [(r["energy_kwh"], r["is_valid"]) for r in shown] == [
        (pytest.approx(2000 / KWH), True),
        (pytest.approx(4000 / KWH), False),
    ]
    assert str(shown[1]["invalid_reason"]).startswith("excluded: the fan failed (ann, ")
    assert _delta(decided, "gen") == _delta(first, "gen")


def test_calibrated_figures_stand_beside_the_raw_ones_of_that_machine(decided: duckdb.DuckDBPyConnection) -> None:
    here, elsewhere = _efficiency(decided, "base"), _efficiency(decided, "base", machine="m2")
    assert (here["energy_valid_for"], here["calibrated_energy_kwh"]) == ("ranking only", None)
    assert elsewhere["energy_valid_for"] == "absolute figures"
    assert elsewhere["energy_kwh"] == pytest.approx(30_000 / KWH)
    assert elsewhere["calibrated_energy_kwh"] == pytest.approx(36_000 / KWH)
    assert elsewhere["calibrated_emissions_kg"] == pytest.approx(36_000 / KWH * 1.5 * 400 / 1000)
    (task,) = _rows(
        decided,
        "select calibrated_energy_kwh from marts.fct_task_evaluations where machine_id = 'm2' and task = 'mc'",
    )
    assert task["calibrated_energy_kwh"] == pytest.approx(12_000 / KWH)
    scenarios = _rows(
        decided,
        "select distinct calibrated_emissions_kg / emissions_kg as factor from marts.mart_carbon_scenarios "
        "where comparability_key = ?",
        elsewhere["comparability_key"],
    )
    assert [row["factor"] for row in scenarios] == pytest.approx([1.2] * len(scenarios))
    assert scenarios


def test_verbosity_of_generating_tasks(first: duckdb.DuckDBPyConnection) -> None:
    rows = _rows(
        first,
        "select * from marts.mart_verbosity where suite = 'mini' and comparability_key = ? order by model_id",
        _efficiency(first, "base")["comparability_key"],
    )
    # slow was killed before it generated anything
    assert [row["model_id"] for row in rows] == ["base", "doubtful", "tuned"]
    assert {row["task"] for row in rows} == {"gen"}
    base, _, tuned = rows
    assert (base["tokens_out_per_request"], base["characters"], base["joules_per_correct"]) == (20, 80, 400)
    assert (base["tokens_out_per_request_low"], base["tokens_out_per_request_high"]) == pytest.approx((20, 20))
    x = np.array(TUNED_GEN.tokens_out, float)
    spread = exp(stats.norm.ppf(0.975) * x.std(ddof=1) / sqrt(len(x)) / x.mean())
    assert tuned["tokens_out_per_request"] == 2.5
    assert tuned["tokens_out_per_request_high"] == pytest.approx(2.5 * spread)
    assert [row["verbosity_rank"] for row in rows] == [1, 1, 3]


def test_history_of_the_nights(second: duckdb.DuckDBPyConnection, decided: duckdb.DuckDBPyConnection) -> None:
    query = "select * from marts.mart_emissions_history where model_id = 'base' and machine_id = 'm1' order by night"
    nights = _rows(second, query)
    assert [row["night"] for row in nights] == [date(2026, 3, 1), date(2026, 3, 2)]
    # mini, the repeated suite and the small one; each loaded run idles, loads and warms up
    assert nights[0]["inference_kwh"] == pytest.approx((3000 + 900 + 1000 + 1100) / KWH)
    assert (nights[0]["runs"], nights[0]["load_kwh"]) == (2, pytest.approx(400 / KWH))
    assert nights[1]["energy_kwh"] == pytest.approx((4000 + 50 + 100 + 200 + 100) / KWH)
    assert nights[1]["emissions_kg"] == pytest.approx(4450 / KWH * 1.5 * 400 / 1000)
    assert {row["control_flag"] for row in nights} == {"no_control"}
    night = _rows(decided, query)[1]
    assert (night["runs"], night["runs_excluded"], night["energy_kwh"]) == (1, 1, None)
    assert night["energy_reason"] == "every run is excluded"


def test_score_intervals_are_wilsons_and_add_in_squares(first: duckdb.DuckDBPyConnection) -> None:
    limits = {}
    for task, right in (("mc", 6), ("gen", 5)):
        wilson = stats.binomtest(right, 10).proportion_ci(method="wilson")
        (row,) = _rows(
            first,
            "select score_low, score_high from marts.fct_task_evaluations "
            "where model_id = 'base' and machine_id = 'm1' and suite = 'mini' and task = ?",
            task,
        )
        assert (row["score_low"], row["score_high"]) == pytest.approx((wilson.low, wilson.high))
        limits[task] = wilson
    row = _efficiency(first, "base")
    mc_low, mc_high = ((limits["mc"].low - 0.25) / 0.75, (limits["mc"].high - 0.25) / 0.75)
    below = 50 * sqrt(((0.6 - 0.25) / 0.75 - mc_low) ** 2 + (0.5 - limits["gen"].low) ** 2)
    above = 50 * sqrt((mc_high - (0.6 - 0.25) / 0.75) ** 2 + (limits["gen"].high - 0.5) ** 2)
    assert (row["score_low"], row["score_high"]) == pytest.approx((row["score"] - below, row["score"] + above))


def test_energies_have_intervals_from_three_repetitions_on(first: duckdb.DuckDBPyConnection) -> None:
    once = _efficiency(first, "base")
    assert once["energy_kwh_low"] is once["joules_per_correct_high"] is None
    assert once["energy_interval_reason"] == "one repetition"
    row = _efficiency(first, "base", suite="repeated")
    energies = np.array([900.0, 1000.0, 1100.0])
    variance = energies.var(ddof=1) / 3 / 1000**2
    t = stats.t.ppf(0.975, 2)
    assert row["energy_kwh_high"] == pytest.approx(1000 / KWH * exp(t * sqrt(variance)), rel=1e-6)
    assert row["joules_per_token_low"] == pytest.approx(1000 / 100 * exp(-t * sqrt(variance)), rel=1e-6)
    # every document has as many tokens: its sampling adds nothing to energy per request
    assert row["joules_per_request_high"] == pytest.approx(100 * exp(t * sqrt(variance)), rel=1e-6)
    with_answers = variance + 1 / 5.5 - 1 / 10.5
    assert row["joules_per_correct"] == pytest.approx(200)
    assert row["joules_per_correct_low"] == pytest.approx(200 * exp(-t * sqrt(with_answers)), rel=1e-6)
    assert row["energy_interval_reason"] is None


def test_differences_are_tested_exactly_and_in_families(first: duckdb.DuckDBPyConnection) -> None:
    rows = _rows(first, "select * from marts.mart_base_vs_finetuned_deltas where suite = 'mini' and scope = 'task'")
    found = {row["task"]: row for row in rows}
    expected = {}
    for task, base, tuned in (("mc", MC, TUNED_MC), ("gen", GEN, TUNED_GEN)):
        pairs = list(zip(base.correct, tuned.correct, strict=True))
        lost, gained = pairs.count((True, False)), pairs.count((False, True))
        expected[task] = stats.binomtest(lost, lost + gained).pvalue
        assert found[task]["score_p_value"] == pytest.approx(expected[task])
        assert (found[task]["score_test"], found[task]["score_family"]) == ("exact McNemar", 2)
    adjusted = stats.false_discovery_control([expected["mc"], expected["gen"]])
    assert [found[task]["score_p_adjusted"] for task in ("mc", "gen")] == pytest.approx(list(adjusted))
    assert {row["score_verdict"] for row in rows} == {"no difference shown"}
    suite = _delta(first, "")
    z = suite["score_delta"] / ((suite["score_delta_high"] - suite["score_delta_low"]) / 2 / stats.norm.ppf(0.975))
    assert suite["score_p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)), abs=3e-7)


def _bonett_price(n: int, gained: int, lost: int) -> tuple[float, float]:
    p, q = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = stats.norm.ppf(0.975) * sqrt((p + q - (p - q) ** 2) / (n + 2))
    return 100 * (p - q - half), 100 * (p - q + half)


def test_delta_of_a_task_is_paired(first: duckdb.DuckDBPyConnection) -> None:
    row = _delta(first, "gen")
    base, tuned = np.array(GEN.correct, float), np.array(TUNED_GEN.correct, float)
    gained, lost = int(((tuned == 1) & (base == 0)).sum()), int(((tuned == 0) & (base == 1)).sum())
    assert (row["base_score"], row["finetuned_score"], row["score_delta"]) == pytest.approx((50, 80, 30))
    assert (row["score_delta_low"], row["score_delta_high"]) == pytest.approx(_bonett_price(10, gained, lost))
    assert row["energy_ratio"] == pytest.approx(0.25)
    assert (row["energy_ratio_low"], row["energy_interval_reason"]) == (None, "one repetition")
    x, y = np.array(GEN.tokens_out, float), np.array(TUNED_GEN.tokens_out, float)
    residual = y / y.sum() - x / x.sum()
    spread = exp(stats.norm.ppf(0.975) * sqrt(len(x) * residual.var(ddof=1)))
    assert row["tokens_out_ratio"] == pytest.approx(0.125)
    assert row["tokens_out_ratio_low"] == pytest.approx(0.125 / spread)
    assert row["tokens_out_ratio_high"] == pytest.approx(0.125 * spread)
    ratio = (500 / 8) / (2000 / 5)
    residual = tuned / tuned.sum() - base / base.sum()
    spread = exp(stats.norm.ppf(0.975) * sqrt(len(x) * residual.var(ddof=1)))
    assert row["joules_per_correct_ratio"] == pytest.approx(ratio)
    assert row["joules_per_correct_ratio_documents_low"] == pytest.approx(ratio / spread)
    assert row["joules_per_correct_ratio_documents_high"] == pytest.approx(ratio * spread)
    assert row["joules_per_correct_ratio_low"] is None
    assert row["verdict"] == "less, too few repetitions to be sure"


def test_delta_of_a_suite_has_its_tasks_as_strata(first: duckdb.DuckDBPyConnection) -> None:
    row = _delta(first, "")
    assert row["scope"] == "suite"
    variance = 0.0
    for base, tuned, chance in ((MC, TUNED_MC, 0.25), (GEN, TUNED_GEN, 0.0)):
        pairs = list(zip(base.correct, tuned.correct, strict=True))
        p, q = (pairs.count((False, True)) + 1) / 12, (pairs.count((True, False)) + 1) / 12
        variance += (0.5 * 100 / (1 - chance)) ** 2 * (p + q - (p - q) ** 2) / 12
    delta = ((0.5 - 0.25) / 0.75 * 100 + 80) / 2 - ((0.6 - 0.25) / 0.75 * 100 + 50) / 2
    half = stats.norm.ppf(0.975) * sqrt(variance)
    assert row["score_delta"] == pytest.approx(delta)
    assert (row["score_delta_low"], row["score_delta_high"]) == pytest.approx((delta - half, delta + half))
    assert row["joules_per_correct_ratio"] == pytest.approx((1500 / 13) / (3000 / 11))
    assert (row["documents_paired"], row["tokens_out_ratio"]) == (20, 0.125)


def test_three_repetitions_give_the_energy_an_interval(first: duckdb.DuckDBPyConnection) -> None:
    row = _delta(first, "rep", suite="repeated")
    variance = np.var([900, 1000, 1100], ddof=1) / 3 / 1000**2 + np.var([450, 500, 550], ddof=1) / 3 / 500**2
    half = stats.t.ppf(0.975, 2) * sqrt(variance)
    assert row["energy_ratio"] == pytest.approx(0.5)
    assert log(row["energy_ratio_low"]) == pytest.approx(log(0.5) - half, rel=1e-6)
    assert log(row["energy_ratio_high"]) == pytest.approx(log(0.5) + half, rel=1e-6)
    # the same documents right: nothing is added by them
    assert row["joules_per_correct_ratio_high"] == pytest.approx(row["energy_ratio_high"])
    assert row["verdict"] == "less"
    suite = _delta(first, "", suite="repeated")
    assert suite["energy_ratio_low"] == pytest.approx(row["energy_ratio_low"])


def test_size_buckets_by_counted_and_by_stated_parameters(first: duckdb.DuckDBPyConnection) -> None:
    key = _efficiency(first, "base")["comparability_key"]
    rows = _rows(
        first,
        "select * from marts.mart_size_bucket_comparison where comparability_key = ? and params_source = 'counted' "
        "order by bucket_order",
        key,
    )
    assert [row["bucket"] for row in rows] == ["< 3 B", "3–10 B", "10–40 B", "≥ 40 B"]
    assert [row["n"] for row in rows] == [2, 0, 0, 0]
    per_joule = 1.5 * 400 / 1000 / KWH
    assert rows[0]["emissions_kg_mean"] == pytest.approx((3000 + 1500) / 2 * per_joule)
    assert rows[0]["emissions_kg_p95"] == pytest.approx((1500 + 0.95 * 1500) * per_joule)
    assert all(row["emissions_kg_median"] is row["marginal_score_per_kg"] is None for row in rows[1:])
    (model,) = _rows(first, "select bucket, params_source from marts.dim_models where model_id = 'doubtful'")
    assert model == {"bucket": "3–10 B", "params_source": "stated"}


def test_samples_have_no_texts(homes: dict[str, Home], first: duckdb.DuckDBPyConnection) -> None:
    names = {row["column_name"] for row in _rows(first, "describe marts.fct_samples")}
    assert "correct" in names
    assert not names & {"target", "answer", "prompt"}
    published = homes["first"].published
    assert all(b"the answered text" not in p.read_bytes() for p in published.rglob("*") if p.is_file())


def test_published_marts_are_the_marts_and_keep_what_describes_them(
    homes: dict[str, Home], first: duckdb.DuckDBPyConnection
) -> None:
    with duckdb.connect(homes["first"].published / "marts.duckdb", read_only=True) as published:
        tables = _rows(published, "select table_name, comment from duckdb_tables() order by 1")
        assert [row["table_name"] for row in tables] == sorted([*MARTS, "publication"])
        assert all(row["comment"] for row in tables)
        assert not _rows(published, "select * from duckdb_columns() where not internal and comment is null")
        for mart in MARTS:
            query = f"select * from marts.{mart} order by all"
            assert published.execute(query).fetchall() == first.execute(query).fetchall()
        keys = _rows(
            published, "select column_name, is_nullable from duckdb_columns() where table_name = 'fct_samples'"
        )
        assert {row["column_name"] for row in keys if not row["is_nullable"]} >= {"run_id", "document_hash"}


def test_a_rebuild_gives_the_same_raw_tables_and_marts_as_two_incremental_nights(
    second: duckdb.DuckDBPyConnection, rebuilt: duckdb.DuckDBPyConnection
) -> None:
    assert _rows(second, "select count(*) as n from marts.fct_samples")[0]["n"] == 170
    for table in (*(f"raw.{record.table}" for record in RECORDS), *(f"marts.{mart}" for mart in MARTS)):
        query = f"select * from {table} order by all"
        assert second.execute(query).fetchall() == rebuilt.execute(query).fetchall(), table


@pytest.fixture(scope="module")
def published(homes: dict[str, Home]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(homes["decided"].published / "marts.duckdb", read_only=True) as connection:
        yield connection


OF_PARTS = "how_much_was_asked_and_saved"  # of which test_part_marts has an answer


@pytest.mark.parametrize("query", [query for query in OWN if query.stem != OF_PARTS], ids=lambda query: query.stem)
def test_our_own_questions_are_answered_on_what_is_published(published: duckdb.DuckDBPyConnection, query: Path) -> None:
    assert answer_to(query, published), f"{query.name} finds nothing"


def _answer(published: duckdb.DuckDBPyConnection, question: str) -> Rows:
    (query,) = [query for query in OWN if query.stem == question]
    return answer_to(query, published)


def test_what_the_fine_tune_costs_is_energy_over_correct_answers(published: duckdb.DuckDBPyConnection) -> None:
    (row,) = [row for row in _answer(published, "did_our_fine_tune_cost_more") if row["suite"] == "mini"]
    assert (row["finetuned_model_id"], row["base_model_id"]) == ("tuned", "base")
    assert row["joules_per_correct_ratio"] == pytest.approx((1500 / 13) / (3000 / 11))


def test_the_most_for_a_kilowatt_hour_comes_first(published: duckdb.DuckDBPyConnection) -> None:
    per_key: dict[str, list[float]] = {}
    for row in _rows(
        published,
        "select comparability_hash, score / energy_kwh as most from marts.mart_model_efficiency "
        "where params_b < 10 and is_current and energy_kwh > 0",
    ):
        per_key.setdefault(row["comparability_hash"], []).append(row["most"])
    expected = [most for key in sorted(per_key) for most in sorted(per_key[key], reverse=True)[:5]]
    assert [row["score_per_kwh"] for row in _answer(published, "most_score_per_kwh_below_10b")] == expected


def test_what_was_excluded_is_told_with_who_and_why(published: duckdb.DuckDBPyConnection) -> None:
    why = {(row["model_id"], row["task"]): row["why"] for row in _answer(published, "what_was_excluded_and_why")}
    assert why["base", ""].startswith("excluded: the fan failed (ann, ")
    assert why["slow", ""] == "killed"
    assert why["doubtful", "mc"] == "its energy: flagged too_short"


def test_a_night_is_compared_with_the_one_before(published: duckdb.DuckDBPyConnection) -> None:
    """The base's second night is excluded, so nothing of it is news."""
    changed = {row["model_id"] for row in _answer(published, "what_changed_since_last_night") if row["energy_ratio"]}
    assert "base" not in changed


def test_repetitions_of_one_run_are_no_change(homes: dict[str, Home], tmp_path: Path) -> None:
    file = tmp_path / MARTS_FILE
    shutil.copyfile(homes["second"].published / MARTS_FILE, file)
    file.chmod(0o644)
    with duckdb.connect(file) as connection:  # one after the other, as they are evaluated
        connection.execute("update fct_task_evaluations set started_at = started_at + to_minutes(repetition)")
        rows = [row for row in _answer(connection, "what_changed_since_last_night") if row["task"] == "rep"]
    assert {row["model_id"] for row in rows} == {"base", "tuned"}
    assert {(row["points_change"], row["energy_ratio"]) for row in rows} == {(None, None)}


def test_a_better_score_has_its_cost(published: duckdb.DuckDBPyConnection) -> None:
    rows = _answer(published, "cost_of_a_ten_percent_better_score")
    assert all(row["cost_ratio"] > 1 for row in rows if row["better_model_id"])
    assert any(row["better_model_id"] is None for row in rows), "nobody is better than the best"


def test_published_parquet_is_read_without_duckdb(homes: dict[str, Home]) -> None:
    current = homes["decided"].published
    with duckdb.connect(current / "marts.duckdb", read_only=True) as connection:
        for mart in (*MARTS, "publication"):
            file = pq.read_table(current / "parquet" / f"{mart}.parquet")
            assert file.num_rows == connection.table(f"marts.{mart}").count("*").fetchall()[0][0]
            assert file.column_names == connection.table(f"marts.{mart}").columns
    frame = pq.read_table(current / "parquet" / "mart_model_efficiency.parquet").to_pandas()
    assert frame["energy_kwh"].dtype == "float64"
    assert frame["is_current"].dtype == "bool"


def test_the_notebook_runs_on_what_is_published(homes: dict[str, Home], tmp_path: Path) -> None:
    pytest.importorskip("marimo", reason="the notebook is a marimo app")
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "current").symlink_to(homes["decided"].published.resolve())
    command = [sys.executable, str(PROJECT / "examples" / "notebook.py")]
    for home, words in ((tmp_path, ""), (tmp_path / "empty", "run `evalwatt run` first")):
        done = subprocess.run(
            command, env=os.environ | {"EVALWATT_HOME": str(home)}, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) == (not words), done.stderr
        assert words in done.stderr
        assert ("energy_method" in done.stdout) == (not words)


def test_every_column_that_was_built_has_a_lineage(homes: dict[str, Home]) -> None:
    """Of every model: the columns that sqlglot sees are those that DuckDB made, and none is read from nowhere."""
    manifest = json.loads((homes["mixed"].dbt_target / "manifest.json").read_bytes())
    lineage = {key.rpartition(".")[2]: columns for key, columns in column_lineage(manifest).items()}
    built = built_tables(homes["mixed"].warehouse)
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    for model in models:
        columns = built[f"{model['schema']}.{model['name']}"].columns
        assert set(lineage[model["name"]]) == set(columns), model["name"]
    sources = {
        f"{model}.{column}": {f"{key.rpartition('.')[2]}.{name}" for key, name in found}
        for model, columns in lineage.items()
        for column, found in columns.items()
    }
    assert sources["fct_evaluation_runs.task_failures"] == {"stg_evaluation_runs.task_failures_json"}
    assert sources["mart_emissions_history.control_flag"] == {"int_control_nights.control_flag"}
    assert {"int_task_efficiency.energy_kwh", "int_task_efficiency.correct_answers"} <= sources[
        "mart_verbosity.joules_per_correct"
    ]
    # through unions, by position and by name
    assert sources["int_study_pairs.ratio"] == {
        "int_leaderboard_pairs.emissions_ratio",
        "int_measured_deltas.energy_ratio",
    }
    assert sources["mart_study_claims.effect"] == {"int_study_model_claims.effect", "int_study_pair_claims.effect"}
    constants = {column for column, found in sources.items() if not found and column.partition(".")[0] in MARTS}
    assert constants <= {
        *(f"{mart}.basis" for mart in MARTS),
        "fct_task_evaluations.is_complete",
        "mart_model_efficiency.tasks_covered",
        "mart_model_efficiency.tasks_planned",
        "mart_family_deltas.n_models",
        "mart_provider_comparison.n_models",
        "mart_provider_comparison.n_pairs",
        "mart_pareto_frontier.axis_pair",
        "mart_study_claims.study_day",
    }
