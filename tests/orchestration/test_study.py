"""The study's figures (2025-01-09), out of the marts, on the leaderboard's real states."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from scipy import stats

from evaluators.leaderboards.formats import date_in_name, read
from evaluators.leaderboards.states import import_state
from orchestration.home import DBT_PROJECT, Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.example_queries import QUERIES, STUDY, answer_to
from tests.support.states import NO_REAL_STATES, REAL
from tests.support.study_document import DOCUMENT, answer, answers

pytestmark = pytest.mark.skipif(not REAL, reason=NO_REAL_STATES)

DAY = "2025-01-09"
ROWS = f"from marts.fct_leaderboard_evaluations where as_of = '{DAY}' and is_in_study_population"


@pytest.fixture(scope="module")
def marts(study_home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(study_home.warehouse, read_only=True) as connection:
        yield connection


def one(marts: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    (row,) = marts.execute(query).fetchall()
    return row


def test_population_and_run_counts(marts: duckdb.DuckDBPyConnection) -> None:
    assert one(marts, f"select count(*), count(*) filter (provider = 'official') {ROWS}") == (2742, 341)
    # 2,671 rows were evaluated again or came after the first state; five of them were only evaluated again in part.
    partly = "count(*) filter (per_run_reason like '%only evaluated again in part%')"
    assert one(marts, f"select count(emissions_per_run_kg), {partly} {ROWS}") == (2666, 5)
    shares = f"select provider, round(100 * avg(is_multi_run::int)) {ROWS} group by provider order by provider"
    assert marts.execute(shares).fetchall() == [("community", 7), ("official", 16)]


def test_scores_are_the_leaderboards(marts: duckdb.DuckDBPyConnection) -> None:
    """Computed again from the raw scores, in every state."""
    difference = "select max(abs(score - score_published)) from marts.fct_leaderboard_evaluations"
    assert one(marts, difference)[0] < 1e-9


def test_size_buckets(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select bucket, n, round(emissions_kg_mean, 2), round(emissions_kg_median, 2), round(score_mean, 1), "
        "round(score_per_kg_median, 1), format('{:.3g}', marginal_score_per_kg) from marts.mart_size_bucket_comparison "
        f"where as_of = '{DAY}' and basis = 'leaderboard_published' and population = 'study' "
        "and params_source = 'published' order by bucket_order"
    ).fetchall()
    assert found == [
        ("< 3 B", 471, 0.69, 0.50, 8.5, 14.7, "60.9"),
        ("3–10 B", 1471, 1.01, 0.74, 20.7, 26.0, "4.83"),
        ("10–40 B", 644, 2.89, 1.84, 25.9, 14.2, "0.736"),
        ("≥ 40 B", 156, 18.40, 13.20, 32.9, 2.6, None),
    ]


def test_correlations(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(f"select params_published_b, emissions_published_kg, score {ROWS}").fetchnumpy()
    size, kg, score = rows.values()
    pairs = [(size, kg), (size, score), (kg, score)]
    assert [round(stats.spearmanr(*pair).statistic, 2) for pair in pairs] == [0.70, 0.63, 0.47]
    effect, reason = one(
        marts,
        "select effect, reason from marts.mart_study_claims "
        f"where claim_id = 'b' and as_of = '{DAY}' and basis = 'leaderboard_published'",
    )
    assert effect == pytest.approx(stats.spearmanr(size, kg).statistic, abs=1e-12)
    assert reason.startswith("Spearman size-CO2 0.70, size-score 0.63, CO2-score 0.47;")


@pytest.mark.parametrize(
    ("family", "published", "per_run"),
    [
        ("Qwen2.5", {"base": 18.09, "official": 33.01, "community": 17.69}, {"base": 18.09, "official": 14.64}),
        ("Llama 3.1", {"base": 13.60, "official": 26.80, "community": 20.58}, {"base": None, "official": 13.42}),
    ],
)
def test_families_of_seventy_billion(
    marts: duckdb.DuckDBPyConnection, family: str, published: dict[str, float], per_run: dict[str, float | None]
) -> None:
    query = (
        "select model_group, round(emissions_kg_mean, 2) from marts.mart_family_deltas "
        f"where as_of = '{DAY}' and size_class = '65–80 B' and family = ? and basis = ?"
    )
    assert dict(marts.execute(query, [family, "leaderboard_published"]).fetchall()).items() >= published.items()
    assert dict(marts.execute(query, [family, "leaderboard_per_run"]).fetchall()).items() >= per_run.items()


def test_community_fine_tunes_of_seventy_billion(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select family, n, round(emissions_kg_mean, 1) from marts.mart_family_deltas "
        f"where as_of = '{DAY}' and size_class = '65–80 B' and family in ('Qwen2.5', 'Llama 3.1') "
        "and model_group = 'community' and basis = 'leaderboard_per_run' order by family"
    ).fetchall()
    assert found == [("Llama 3.1", 8, 14.8), ("Qwen2.5", 4, 17.7)]


def test_official_fine_tunes_emit_twice_as_published_and_not_per_run(marts: duckdb.DuckDBPyConnection) -> None:
    claims = {
        basis: (verdict, limit, effect, low, reason)
        for basis, verdict, limit, effect, low, reason in marts.execute(
            "select basis, verdict_code, reason_code, effect, effect_low, reason from marts.mart_study_claims "
            f"where claim_id = 'e' and as_of = '{DAY}'"
        ).fetchall()
    }
    verdict, limit, effect, low, reason = claims["leaderboard_published"]
    assert (verdict, limit, low) == ("holds", "too_few_pairs", None)
    assert reason.startswith("Llama 3.1: 1.97 x; Qwen2.5: 1.82 x;")
    verdict, limit, effect, low, reason = claims["leaderboard_per_run"]
    assert (verdict, limit, round(effect, 2), low) == ("not_supported", "too_few_pairs", 0.81, None)
    assert "Llama 3.1: undetermined (base: " in reason


def test_official_against_community(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select bucket, provider, round(score_per_kg_median, 2) from marts.mart_provider_comparison "
        f"where as_of = '{DAY}' and basis = 'leaderboard_published' and bucket in ('< 3 B', '3–10 B', '≥ 40 B')"
    ).fetchall()
    medians = {(bucket, provider): value for bucket, provider, value in found}
    assert round(medians["3–10 B", "official"], 1), round(medians["3–10 B", "community"], 1) == (19.9, 26.7)
    assert (medians["≥ 40 B", "official"], medians["≥ 40 B", "community"]) == (1.35, 3.16)
    assert (round(medians["< 3 B", "official"], 1), round(medians["< 3 B", "community"], 1)) == (19.0, 14.5)


def test_official_multiplier_is_that_of_least_squares(marts: duckdb.DuckDBPyConnection) -> None:
    import numpy as np

    query = (
        "select ln(emissions_published_kg), ln(params_published_b), (provider = 'official')::int, "
        f"coalesce(strftime(submission_date, '%Y-%m'), 'unknown') {ROWS} and emissions_published_kg > 0"
    )
    y, size, official, month = (np.array(column) for column in zip(*marts.execute(query).fetchall(), strict=True))
    design = np.column_stack([official, size, *(month == value for value in np.unique(month))]).astype(float)
    solution, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    freedom = len(y) - design.shape[1]
    error = np.sqrt(residual[0] / freedom * np.linalg.inv(design.T @ design)[0, 0])
    t = stats.t.ppf(0.975, freedom)
    found = one(
        marts,
        "select official_multiplier, official_multiplier_low, official_multiplier_high "
        f"from marts.mart_provider_comparison where as_of = '{DAY}' and bucket = 'all sizes' "
        "and provider = 'official' and basis = 'leaderboard_published'",
    )
    expected = [np.exp(solution[0] + sign * t * error) for sign in (0, -1, 1)]
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_frontier_holds_what_nothing_dominates(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select cost, score, on_frontier from marts.mart_pareto_frontier "
        f"where as_of = '{DAY}' and basis = 'leaderboard_per_run' and axis_pair = 'emissions_kg and score'"
    ).fetchall()
    best = -1.0
    for cost, score, on_frontier in sorted(rows, key=lambda row: (row[0], -row[1])):
        assert on_frontier == (score > best), (cost, score)
        best = max(best, score)


def test_the_document_says_what_its_queries_give(marts: duckdb.DuckDBPyConnection) -> None:
    found = answers(DOCUMENT.read_text(encoding="utf-8"))
    assert len(found) >= 7
    for query, written in found:
        assert written == answer(marts, query), query


def test_the_document_names_the_figures_that_the_project_reads() -> None:
    project = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    kw, grid = (project["vars"][f"leaderboard_{name}"] for name in ("nameplate_kw", "grid_g_per_kwh"))
    words = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert f"multiplies hours by {kw} kW of nameplate power (8 × H100) and by {grid} g/kWh" in words
    assert f"`as_of = '{project['vars']['study_day']}'` selects the study's day" in words


def test_the_same_states_in_any_order_give_the_same_marts(
    marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("in order"))
    for path in REAL:
        day = date_in_name(path)
        assert day is not None
        import_state(partial(read, path), day, path.name, home.landing, home.quarantine)
    warehouse.load(home)
    dbt_build(home, "--exclude", "resource_type:unit_test", "resource_type:test")
    (built_late,) = one(marts, "select current_database()")
    with duckdb.connect() as both:
        late = one(marts, f"select path from duckdb_databases() where database_name = '{built_late}'")[0]
        both.execute(f"attach '{late}' as late (read_only); attach '{home.warehouse}' as ordered (read_only)")
        names = both.execute(
            "select table_name from duckdb_tables() where database_name = 'ordered' and schema_name = 'marts'"
        ).fetchall()
        assert len(names) >= 12
        for (name,) in names:
            difference = (
                f"select count(*) from ((from late.marts.{name} except from ordered.marts.{name}) "
                f"union all (from ordered.marts.{name} except from late.marts.{name}))"
            )
            assert both.execute(difference).fetchall() == [(0,)], name


@pytest.mark.parametrize("query", STUDY, ids=lambda query: query.stem)
def test_the_studys_questions_are_answered_on_both_bases(marts: duckdb.DuckDBPyConnection, query: Path) -> None:
    assert {row["basis"] for row in answer_to(query, marts)} >= {"leaderboard_published", "leaderboard_per_run"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.stem)
def test_no_question_fails_where_nothing_is_metered(marts: duckdb.DuckDBPyConnection, query: Path) -> None:
    answer_to(query, marts)


def test_few_small_models_are_strong_by_credible_sizes(marts: duckdb.DuckDBPyConnection) -> None:
    credible = (
        "select count(*) filter (where score >= 35 and emissions_published_kg < 5), count(*) "
        "from marts.fct_leaderboard_evaluations where as_of = '2025-01-09' and is_in_study_population "
        "and provider != 'official' and params_published_b < 10 and params_trusted_b < 10 "
        "and score is not null and emissions_published_kg is not null"
    )
    ((strong, all_of_them),) = marts.execute(credible).fetchall()
    ((reason,),) = marts.execute(
        "select reason from marts.mart_study_claims "
        "where claim_id = 'a' and basis = 'leaderboard_published' and as_of = '2025-01-09'"
    ).fetchall()
    assert f"({strong:,} of {all_of_them:,} by credible sizes)" in reason
    assert strong == 1


def test_the_most_for_a_kilowatt_hour_comes_first_among_thousands(marts: duckdb.DuckDBPyConnection) -> None:
    (question,) = [query for query in QUERIES if query.stem == "most_score_per_kwh_below_10b"]
    found = answer_to(question, marts)
    assert all(row["params_b"] < 10 for row in found)
    for basis in ("leaderboard_published", "leaderboard_per_run"):
        best = (
            "select distinct score / energy_kwh as most from marts.mart_model_efficiency "
            f"where basis = '{basis}' and is_current and params_b < 10 and energy_kwh > 0 order by most desc limit 5"
        )
        expected = [most for (most,) in marts.execute(best).fetchall()]
        most = [row["score_per_kwh"] for row in found if row["basis"] == basis]
        assert list(dict.fromkeys(most)) == expected
