"""The leaderboard's marts on small states whose every figure can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evaluators.leaderboards.formats import read
from evaluators.leaderboards.states import import_state
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.dbt_runner import dbt_build
from tests.support.example_queries import STUDY, answer_to
from tests.support.states import row, save

FIRST, SECOND, THIRD = date(2030, 5, 1), date(2030, 5, 2), date(2030, 5, 9)

# kg of a row in the three states; the third comes a week later.
SEQUENCES: dict[str, tuple[float | None, float | None, float | None]] = {
    "r/steady": (0.7, 0.7, 0.7),
    "r/again": (0.7, 1.45, 1.45),
    "r/thrice": (0.7, 1.4, 2.2),
    "r/late": (None, 0.8, 0.8),
    "r/reset": (0.6, 1.2, 0.62),
    "r/gap": (None, 0.5, 1.5),
    "r/uneven": (None, 0.5, 1.4),
    "r/partly": (1.4, 1.45, 1.45),
    "r/missing": (-1.0, -1.0, -1.0),
    "acme-ai/Acme-Old-8B": (0.5, 0.5, None),
    "acme-ai/Old-8B": (None, None, 1.0),
}
CURIOUS = 'c/it\'s, "fine" 🤖'
MODELS: dict[str, dict[str, Any]] = {
    "o/Base-7B": {
        "model_type": "🟢 pretrained",
        "official_providers": True,
        "base_model": "o/Base-7B",
        "params_b": 7.2,
    },
    "o/Base-7B-Instruct": {"official_providers": True, "base_model": "o/Base-7B", "emissions_published_kg": 1.4},
    "c/tune-7b": {"base_model": "O/BASE-7b", "params_b": 3.6},
    "c/second-7b": {"base_model": "c/tune-7b"},
    "c/merge": {"base_model": "o/Base-7B (Merge)"},
    "c/renamed": {"base_model": "acme-ai/Acme-Base-7B"},
    "acme-ai/Base-7B": {"model_type": "🟢 pretrained", "base_model": "acme-ai/Base-7B"},
    "c/cycle-a": {"base_model": "c/cycle-b"},
    "c/cycle-b": {"base_model": "c/cycle-a"},
    "c/gone": {"base_model": "Removed"},
    "c/absent": {"base_model": "x/nowhere"},
    "c/labelled-instruct": {"model_type": "🟢 pretrained", "base_model": "c/labelled-instruct"},
    "c/adapter-8b": {"weight_type": "Adapter", "params_b": 16.061, "base_model": "o/Base-7B"},
    "c/8x7b": {"architecture": "MixtralForCausalLM", "params_b": 46.7, "moe": False},
    CURIOUS: {"base_model": CURIOUS},
}


def _state(number: int) -> list[dict[str, Any]]:
    sequences = [
        row(name, emissions_published_kg=kg[number], model_sha=("a" if name.startswith("acme") else "b") * 40)
        for name, kg in SEQUENCES.items()
        if kg[number] is not None
    ]
    return [*sequences, *(row(name, **changes) for name, changes in MODELS.items())]


def _import(home: Home, folder: Path, day: date, rows: list[dict[str, Any]]) -> None:
    path = save(folder, rows, day)
    import_state(partial(read, path), day, path.name, home.landing, home.quarantine)
    warehouse.load(home)


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home, folder = Home(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("states")
    # The state in between arrives last: what was built before has to be rewritten.
    for number, day in ((0, FIRST), (2, THIRD)):
        _import(home, folder, day, _state(number))
    dbt_build(home)
    _import(home, folder, SECOND, _state(1))
    dbt_build(home, "--exclude", "resource_type:unit_test")
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        yield connection


def values(marts: duckdb.DuckDBPyConnection, columns: str, model: str, day: date = THIRD) -> tuple[Any, ...]:
    query = f"select {columns} from marts.fct_leaderboard_evaluations where model_id = ? and as_of = ?"
    (found,) = marts.execute(query, [model, day]).fetchall()
    return found


@pytest.mark.parametrize(
    ("model", "kg", "how"),
    [
        ("r/again", 0.75, "latest increase"),
        ("r/thrice", 0.8, "latest increase"),  # and not the first, 0.7
        ("r/late", 0.8, "first value"),
        ("r/reset", 0.62, "value after a reset"),
        ("r/gap", 0.5, "latest increase, divided by 2 runs"),
        ("r/uneven", 0.9, "latest increase, which may hold several runs"),
        ("acme-ai/Old-8B", 0.5, "latest increase"),  # renamed: its first value is no first value
        (
            "r/steady",
            None,
            "in the first state already, and not evaluated again: its number of runs is not known",
        ),
        (
            "r/partly",
            None,
            "in the first state already, and only evaluated again in part: its number of runs is not known",
        ),
        ("r/missing", None, "the table has no CO2 for it"),
    ],
)
def test_emissions_of_one_run(marts: duckdb.DuckDBPyConnection, model: str, kg: float | None, how: str) -> None:
    found, words = values(marts, "emissions_per_run_kg, coalesce(per_run_method, per_run_reason)", model)
    assert (found, words) == (kg if kg is None else pytest.approx(kg), how)


def test_runs_are_those_of_the_state(marts: duckdb.DuckDBPyConnection) -> None:
    assert [values(marts, "runs, is_multi_run", "r/again", day) for day in (FIRST, SECOND)] == [(1, False), (2, True)]
    assert values(marts, "runs", "r/steady") == values(marts, "runs", "r/missing") == (None,)
    # A later state tells of an earlier one, and says which.
    assert values(marts, "evidence_from, evidence_through", "r/again", FIRST) == (SECOND, THIRD)


@pytest.mark.parametrize(
    ("model", "root", "reason"),
    [
        ("c/tune-7b", "o/base-7b", "resolved"),
        ("c/second-7b", "o/base-7b", "resolved"),
        ("c/renamed", "acme-ai/base-7b", "resolved to a renamed repository"),
        ("c/cycle-a", "c/cycle-a", "its bases form a cycle"),
        ("c/gone", "c/gone", "the base was removed from the hub"),
        ("c/absent", "c/absent", "the base is not in the table"),
        (CURIOUS, CURIOUS.lower(), "names itself"),
    ],
)
def test_lineage(marts: duckdb.DuckDBPyConnection, model: str, root: str, reason: str) -> None:
    assert values(marts, "root_model, base_reason", model) == (root, reason)


@pytest.mark.parametrize(
    ("model", "kind", "trusted", "reason"),
    [
        ("c/tune-7b", "instruct", 7.0, "the name; the column says half of it, as weights packed in 4 bits count"),
        ("c/adapter-8b", "adapter", 8.0, "the name; the column counts quantised or adapter weights"),
        ("c/8x7b", "instruct", 46.7, "column and name agree"),
        ("c/merge", "merge", 8.03, "the column; the name states no size"),
        ("c/labelled-instruct", "instruct", 8.03, "the column; the name states no size"),
    ],
)
def test_kind_and_size(marts: duckdb.DuckDBPyConnection, model: str, kind: str, trusted: float, reason: str) -> None:
    assert values(marts, "kind, params_trusted_b, params_reason", model) == (kind, trusted, reason)
    assert values(marts, "is_moe", "c/8x7b") == (True,)


def test_a_fine_tune_stands_against_its_base(marts: duckdb.DuckDBPyConnection) -> None:
    query = (
        "select energy_ratio, score_delta, energy_ratio_low, energy_interval_reason, verdict "
        "from marts.mart_base_vs_finetuned_deltas where basis = 'leaderboard_published' and scope = 'table' "
        "and finetuned_model_id = 'o/Base-7B-Instruct' and as_of = ?"
    )
    assert marts.execute(query, [THIRD]).fetchall() == [(2.0, 0.0, None, "one row per side", "more, one row per side")]
    # Neither of the two was ever evaluated again: per run nothing is known, and the row says so.
    query = query.replace("leaderboard_published", "leaderboard_per_run")
    assert [row[0::4] for row in marts.execute(query, [THIRD]).fetchall()] == [(None, "undetermined")]


def test_every_claim_has_an_answer_for_every_state_and_basis(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select count(*), count(distinct claim_id), bool_and(verdict_code is not null) from marts.mart_study_claims"
    ).fetchall()
    assert found == [(3 * 2 * 8, 8, True)]
    codes = "select distinct verdict_code, verdict from marts.mart_study_claims where effect is null"
    assert marts.execute(codes).fetchall() == [("undetermined", "undetermined")]


def test_scenarios_start_from_the_leaderboards_own(marts: duckdb.DuckDBPyConnection) -> None:
    query = (
        "select scenario, emissions_kg, energy_kwh, hours from marts.mart_carbon_scenarios "
        "where eval_name like 'o_Base-7B-Instruct%' and basis = 'leaderboard_published' "
        "and scenario in ('leaderboard', 'France') order by scenario"
    )
    france, leaderboard = marts.execute(query).fetchall()
    kwh = 1.4 / 0.2698
    assert leaderboard == ("leaderboard", pytest.approx(1.4), pytest.approx(kwh), pytest.approx(kwh / 5.6))
    assert france[1] == pytest.approx(kwh * 56.039 / 1000)


def test_a_state_in_between_rewrites_what_was_built_of_the_others(marts: duckdb.DuckDBPyConnection) -> None:
    """Built first without the second state, r/reset had no value of one run: the frontier must not keep that."""
    difference = (
        "select eval_name, as_of, emissions_per_run_kg from marts.fct_leaderboard_evaluations "
        "where emissions_per_run_kg is not null except select point, as_of, cost from marts.mart_pareto_frontier "
        "where basis = 'leaderboard_per_run' and axis_pair = 'emissions_kg and score'"
    )
    assert marts.execute(difference).fetchall() == []
    assert values(marts, "emissions_per_run_kg", "r/reset", FIRST) == (0.62,)


def _marts(home: Home) -> dict[str, list[Any]]:
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        return {name: connection.execute(f"from marts.{name} order by all").fetchall() for (name,) in names}


def test_a_state_that_changes_nothing_but_being_the_newest(tmp_path: Path) -> None:
    """Rows of the states before keep their evidence, and must yet tell of the new one as a build from scratch does."""
    home = Home(tmp_path / "home")
    home.path.mkdir()
    without_tests = ("--exclude", "resource_type:unit_test", "resource_type:test")
    for day in (FIRST, SECOND):
        _import(home, tmp_path, day, _state(1))
    dbt_build(home, *without_tests)
    _import(home, tmp_path, THIRD, _state(1))
    dbt_build(home, *without_tests)
    one_more = _marts(home)
    with duckdb.connect(home.warehouse, read_only=True) as connection:
        current = "select distinct as_of from marts.mart_model_efficiency where is_current"
        assert connection.execute(current).fetchall() == [(THIRD,)]
        through = "select distinct evidence_through from marts.fct_leaderboard_evaluations"
        assert connection.execute(through).fetchall() == [(THIRD,)]
    dbt_build(home, "--full-refresh", *without_tests)
    for name, rows in _marts(home).items():
        assert rows == one_more[name], name


@pytest.mark.parametrize("query", STUDY, ids=lambda query: query.stem)
def test_the_studys_questions_are_answered(marts: duckdb.DuckDBPyConnection, query: Path) -> None:
    """As far as these few models tell, which are of no known family."""
    assert answer_to(query, marts) or query.stem in ("study_4_fine_tunes_at_70b", "study_5_fine_tunes_at_7b")
