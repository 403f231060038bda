"""What is metered elsewhere, or later, takes nothing from what is said: claims, page and observations have one key."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.home import MARTS_FILE, Home
from orchestration.report import findings, queries
from orchestration.ui.model_figures import model_figures
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

pytestmark = pytest.mark.long

DAY = timedelta(days=1)
OF_QWEN2 = "basis = 'measured' and claim_id = 'g'"
CLAIM = f"select effect, n_a, verdict_code, as_of from marts.mart_study_claims where {OF_QWEN2}"


def run(home: Home, model: str, energy_j: float = 1000.0, *, days: int = 0, **changes: object) -> None:
    outcomes = [TaskOutcome("gen", [True] * 8 + [False] * 2, energy_j, tokens_out=[20] * 10)]
    values = {"outcomes": outcomes, "at": START + days * DAY, **changes}
    BuiltRun(home.landing, model, **values).land()  # type: ignore[arg-type]


def built(home: Home) -> duckdb.DuckDBPyConnection:
    assert not warehouse.load(home).quarantined
    dbt_build(home, "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    publication.publish(home, checks={"passed": 1, "failed": 0})
    return duckdb.connect(publication.current(home) / MARTS_FILE, read_only=True)


def test_a_claim_stays_when_others_are_metered_later(tmp_path: Path) -> None:
    home = Home(tmp_path)
    run(home, "base", family="Qwen2")
    run(home, "tuned", 500.0, family="Qwen2", base="base")
    with built(home) as marts:
        assert marts.sql(CLAIM).fetchall() == [(0.5, 1, "holds_in_direction", START.date())]
        key = findings.main_key(queries.ask(marts))
        assert key is not None
        assert key.endswith("suite=mini@v1")
    # A day later another model of the same setting, one of another suite, and the same base on another machine.
    run(home, "other", days=1)
    run(home, "other", days=1, suite="large")
    run(home, "base", 9000.0, days=1, machine="m2", family="Qwen2")
    # A misspelt task makes another version of the suite, in which the landed tasks are found again.
    for model, base in (("base", None), ("tuned", "base")):
        run(
            home,
            model,
            days=2,
            outcomes=[],
            reused=["gen"],
            planned=["gne"],
            suite_version="v2",
            base=base,
            family="Qwen2",
        )
    with built(home) as marts:
        assert marts.sql(CLAIM).fetchall() == [(0.5, 1, "holds_in_direction", (START + DAY).date())]
        answers = queries.ask(marts)
        assert findings.main_key(answers) == key
        own = {(row["model"], row["comparability_key"]): row for row in answers["own_models"]}
        assert [row["headline_rank"] for row in own.values()] == sorted(row["headline_rank"] for row in own.values())
        assert {model for model, of in own if of == key} == {"base", "tuned", "other"}
        assert not any("mini@v2" in of for _, of in own), "a version without a score is not current"
        versions = marts.sql(
            "select suite_version, is_current, score is null from marts.mart_model_efficiency where model_id = 'tuned'"
        ).fetchall()
        assert sorted(versions) == [("v1", True, False), ("v2", False, True)]
        known = marts.sql(
            "select comparability_key, any_value(headline_rank), count(score + energy_kwh), count(score), count(*), "
            "max(as_of) from marts.mart_model_efficiency where is_current group by comparability_key"
        ).fetchall()
    ranked = sorted(known, key=lambda row: row[1])
    assert [row[1] for row in ranked] == list(range(1, len(ranked) + 1))
    assert all(a[2:] >= b[2:] for a, b in itertools.pairwise(ranked)), "the rank is what the mart's rows say"
    figures = {(row.model, row.suite): row for row in model_figures(publication.current(home) / MARTS_FILE)}
    assert figures["base", "mini"].comparability_key == key
    assert figures["base", "mini"].energy_kwh == pytest.approx(1000 / 3.6e6)
    assert set(figures) == {("base", "mini"), ("tuned", "mini"), ("other", "mini"), ("other", "large")}
