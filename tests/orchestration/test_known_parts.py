"""What is known is shown: doubts about some windows hide nothing of the others, in SQL, on the page and in messages."""

from __future__ import annotations

import io
from typing import Any

import duckdb
import pytest
from rich.console import Console

from orchestration.cli import results
from orchestration.home import Home
from orchestration.nights import report
from orchestration.report import findings, page, queries
from tests.support.metered_nights import KWH

Night = tuple[Home, list[str]]


@pytest.fixture(scope="session")
def home(doubtful_night: Night) -> Home:
    return doubtful_night[0]


def asked(home: Home, query: str) -> list[dict[str, Any]]:
    with duckdb.connect(home.marts, read_only=True) as connection:
        result = connection.execute(query)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_a_suites_energy_is_known_for_the_tasks_that_are_named(home: Home) -> None:
    rows = asked(home, "select * from marts.mart_model_efficiency where machine_id = 'm1' order by model_id")
    base, tuned = rows
    assert base["energy_kwh"] is None
    assert base["energy_known_kwh"] == pytest.approx(3000 / KWH)
    assert (base["tasks_with_energy"], base["tasks_without_energy"]) == ("gen, mc", "late, odd")
    assert base["energy_reason"] == "3 of 4 tasks are evaluated"
    assert tuned["energy_kwh"] == tuned["energy_known_kwh"] == pytest.approx(1000 / KWH)
    assert (tuned["tasks_with_energy"], tuned["tasks_without_energy"]) == ("gen, mc, odd", None)
    assert {row["gpu_energy_reason"] for row in rows} == {"no GPU in the boundary"}
    # nothing is missing but a scoring window of 0.5 s, of 3 x 100 + 2 x 2 + 0.5 + 10 + 5 + 2 s
    assert tuned["inference_share"] == pytest.approx(1000 / (1000 + 100 + 100 + 200 + 100))
    assert tuned["known_time_share"] == pytest.approx(1 - 0.5 / 321.5)


def test_other_programs_leave_a_gpus_counter_as_it_is(home: Home) -> None:
    (row,) = asked(home, "select * from marts.mart_model_efficiency where machine_id = 'g1'")
    assert row["energy_kwh"] is row["joules_per_correct"] is row["energy_known_kwh"] is None
    assert row["gpu_energy_kwh"] == pytest.approx(900 / KWH)
    assert row["joules_per_correct_gpu"] == pytest.approx(900 / 10)
    tasks = asked(home, "select * from marts.fct_task_evaluations where machine_id = 'g1' order by task")
    assert [(task["energy_reason"], task["gpu_energy_reason"]) for task in tasks] == [
        ("flagged foreign_load", None)
    ] * 2


def test_a_pair_is_compared_on_what_is_known_of_both(home: Home) -> None:
    query = "select * from marts.mart_base_vs_finetuned_deltas where scope in ('suite', 'known_tasks') order by scope"
    known, suite = asked(home, query)
    assert (known["tasks_compared"], known["tasks_paired"], known["tasks_planned"]) == ("gen, mc", 2, 4)
    assert known["energy_ratio"] == pytest.approx(900 / 3000)
    assert known["joules_per_correct_ratio"] == pytest.approx((900 / 13) / (3000 / 11))
    assert (known["base_score"], known["finetuned_score"]) == pytest.approx((55, 65))
    assert known["documents_paired"] == 20
    assert known["tokens_out_ratio"] == pytest.approx(0.25)
    assert known["verdict"] == "less, too few repetitions to be sure"
    assert suite["energy_ratio"] is None
    assert suite["verdict_reason"] == "base: 3 of 4 tasks are evaluated"


def test_a_night_shows_what_it_took_but_for_what_it_names(home: Home) -> None:
    base, tuned = asked(home, "select * from marts.mart_emissions_history where machine_id = 'm1' order by model_id")
    assert base["energy_kwh"] is base["inference_kwh"] is base["emissions_kg"] is None
    assert base["inference_known_kwh"] == pytest.approx(3000 / KWH)
    assert base["energy_known_kwh"] == pytest.approx((3000 + 100 + 100 + 200 + 100) / KWH)
    assert base["emissions_known_kg"] == pytest.approx(base["energy_known_kwh"] * 1.5 * 400 / 1000)
    counts = [base[f"{phase}_windows_without_energy"] for phase in findings.PHASES]
    assert (counts, base["duration_without_energy_s"]) == ([0, 0, 0, 1, 1], 40.25)
    assert tuned["inference_kwh"] == pytest.approx(1000 / KWH)
    assert (tuned["scoring_kwh"], tuned["duration_without_energy_s"]) == (None, 0.5)


def test_the_page_opens_with_figures(home: Home) -> None:
    with duckdb.connect(home.marts, read_only=True) as connection:
        answers = queries.ask(connection)
    sentence, figures = findings.tonight(answers)
    took = sum(row["energy_known_kwh"] for row in answers["nights"])
    assert f"on g1, m1, using {took * 1000:.3g}\u00a0Wh" in sentence
    assert "without 3 inference and 2 scoring windows (240\u00a0s in total)" in sentence
    assert "not known" not in sentence
    assert "not known" not in figures[2].value + figures[3].value
    assert "on 2 of 4 tasks (gen, mc)" in page.render(answers)


def test_run_and_message_name_the_tasks(doubtful_night: Night) -> None:
    home, runs = doubtful_night
    shown = io.StringIO()
    results.show_published(home, Console(file=shown, width=250), None)
    text = shown.getvalue()
    assert "0.000833 without late, odd" in text
    assert "90 (GPU alone)" in text
    assert "mini, 2 of 4 tasks" in text
    assert "tuned against base on 2 of 4 tasks (gen, mc): energy per correct answer: less" in text
    assert "tuned against base: energy per correct answer" not in text
    assert [line.words for line in report.known_lines(home, runs)] == [
        "base on mini: 0.833 Wh for gen, mc; not known for late, odd"
    ]
    assert not list(report.known_lines(home, runs[1:2]))
