"""What `evalwatt run` shows at its end: the models, the fine-tunes and what is said of them are the marts' words."""

from __future__ import annotations

import io
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from orchestration.cli import results
from orchestration.home import MARTS_FILE, Home


@pytest.fixture
def home(homes: dict[str, Home], tmp_path: Path) -> Home:
    """Two nights of invented runs, published; the score of one pair has no interval."""
    home = Home(tmp_path / "a home")
    home.current.mkdir(parents=True)
    file = home.marts
    shutil.copyfile(homes["second"].published / MARTS_FILE, file)
    file.chmod(0o644)
    with duckdb.connect(file) as connection:
        unsure = "score_p_adjusted = null, score_interval_reason = 'asked differently'"
        connection.execute(f"update mart_base_vs_finetuned_deltas set {unsure} where suite = 'repeated'")
    return home


@pytest.fixture
def shown(home: Home) -> str:
    text = io.StringIO()
    results.show_published(home, Console(file=text, width=200), home.report_page)
    return text.getvalue()


def asked(home: Home, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(home.marts, read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_score_and_energy_of_a_fine_tune_have_a_verdict_each(home: Home, shown: str) -> None:
    rows = asked(
        home,
        """
        select finetuned_model_id || ' against ' || base_model_id, score_verdict, score_p_adjusted,
            score_interval_reason, verdict, verdict_reason
        from marts.mart_base_vs_finetuned_deltas where basis = 'measured' and scope = 'suite'
        """,
    )
    assert {row[2] is None for row in rows} == {True, False}
    for pair, score, p_value, no_interval, energy, reason in rows:
        sure = no_interval if p_value is None else f"p = {p_value:.2g}"
        assert f"{pair}: score: {score} ({sure})\n" in shown
        assert f"{pair}: energy per correct answer: {energy} ({reason})\n" in shown


def test_the_last_lines_are_the_answers_the_page_and_what_to_ask(home: Home, shown: str) -> None:
    *_, answer, report, ask = shown.splitlines()
    assert " against " in answer
    assert report == f"Report:    {home.report_page}"
    assert ask.startswith("Query:     ")
    command = shlex.split(ask.partition(":")[2])
    assert command[1:] == ["sql", "select * from marts.mart_model_efficiency"]
    assert command[0] == "evalwatt" or Path(command[0]).samefile(Path(sys.executable).with_name("evalwatt"))


def test_what_is_not_known_has_its_reason_and_the_flag_its_remedy(home: Home, shown: str) -> None:
    ((reason,),) = asked(
        home,
        "select distinct energy_reason from marts.mart_model_efficiency where model_id = 'doubtful' and is_current",
    )
    assert f"doubtful: {reason}\n" in shown
    assert "\ntoo_short: " in shown
    assert "no state imported yet" in shown


def test_a_flag_is_explained_once_with_what_to_do_where_it_hides_an_energy() -> None:
    stuck, foreign = results.explanations(
        [
            {"energy_kwh": None, "energy_flags": "foreign_load"},
            {"energy_kwh": None, "energy_flags": "foreign_load,stuck"},
            {"energy_kwh": None, "energy_flags": None},
            {"energy_kwh": 1.0, "energy_flags": "too_short"},
        ]
    )
    assert foreign.startswith("foreign_load: other programs took too much CPU time")
    assert "`evalwatt evaluate MODEL --force`" in foreign
    assert stuck.startswith("stuck: a sensor did not change")
