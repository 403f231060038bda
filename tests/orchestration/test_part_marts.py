"""Parts of evaluations in the marts: beside complete ones, which they do not touch, on figures worked out by hand.

`whole` has a base, a complete fine-tune, and one whose questions were asked in parts until they were complete. `parts`
has the same and models of which only a part was asked.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from math import exp, sqrt
from typing import Any

import duckdb
import pytest

from evaluators.landing.bundles import bundles, is_task_bundle, rows, task_bundle
from evaluators.records import TaskResult
from orchestration.exports import codecarbon, published_runs
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.example_queries import OWN, answer_to
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.metered_nights import KWH, answers
from tests.support.parts import InParts, complete, into_parts, land_stop

MC = TaskOutcome("mc", answers(12, 20), 1000.0)
GEN = TaskOutcome("gen", answers(6), 2000.0, tokens_out=[20] * 10)
TUNED_MC = TaskOutcome("mc", answers(8, 20), 1000.0)
WITH_PARTS = {"fct_task_evaluations", "mart_base_vs_finetuned_deltas"}
OF_RUNS = {"dim_models", "fct_evaluation_runs", "mart_emissions_history"}  # which parts have, too
LOOKED_AT = "(finetuned_model_id = 'mixed' and task = 'gen')"
RUN_J = 100 + 200 + 100  # idle, load and warm-up of each run

Rows = list[dict[str, Any]]
Ask = Callable[..., Rows]


class Nights:
    """What is landed, model by model, an hour apart."""

    def __init__(self, home: Home) -> None:
        self.home, self.hours = home, 0
        self.base = BuiltRun(home.landing, "base", [MC, GEN])
        base_run = self.base.land()
        self.reference = {task: (task_bundle(self.base.fingerprint(task), 1), base_run) for task in ("mc", "gen")}

    def run(self, model: str, *outcomes: TaskOutcome) -> str:
        self.hours += 1
        at = START + timedelta(hours=self.hours)
        planned = ["mc", "gen"]
        return BuiltRun(self.home.landing, model, outcomes, base="base", planned=planned, at=at).land()

    def whole(self) -> None:
        evaluation = task_bundle(BuiltRun(self.home.landing, "plain", []).fingerprint("mc"), 1)
        self.plain = {"mc": (evaluation, self.run("plain", TUNED_MC, GEN))}
        run_id = self.run("whole", TUNED_MC, GEN)
        part = into_parts(self.home.landing, run_id, "mc", (8, 20))
        complete(self.home.landing, part)
        land_stop(self.home.landing, run_id, [part], None, self.reference, stop_reason="all", p_value=0.04, low=-39.5)
        run_id = self.run("mixed", GEN)
        (gen,) = [bundle for bundle in bundles(self.home.landing, run_id) if is_task_bundle(bundle.name)]
        result = rows(gen, TaskResult)[0]
        self.mixed_gen = InParts(run_id, "gen", gen.name, result.fingerprint, 10, 10, (), ())

    def parts(self) -> None:
        landing = self.home.landing
        run_id = self.run("claimed", TUNED_MC)
        part = into_parts(landing, run_id, "mc", (8, 12, 16), loads=(1.25, 1.0, 0.75))
        land_stop(landing, run_id, [part], None, self.reference)

        run_id = self.run("given", TUNED_MC)
        found: dict[str, Any] = {
            "stop_reason": "given_up",
            "verdict": "no_difference_shown",
            "p_value": 0.4,
            "claim_chance": 0.06,
        }
        land_stop(landing, run_id, [into_parts(landing, run_id, "mc", (8,))], None, self.reference, **found)

        unknown: dict[str, Any] = {"stop_reason": "budget", "verdict": None}
        run_id = self.run("interrupted", TUNED_MC)
        none: dict[str, Any] = {"p_value": None, "low": None, "high": None, "score_test": None}
        land_stop(landing, run_id, [into_parts(landing, run_id, "mc", (8,))], None, self.reference, **unknown, **none)
        run_id = self.run("interrupted", TUNED_MC)
        part = into_parts(landing, run_id, "mc", (12, 16), start=8)
        land_stop(landing, run_id, [part], None, self.reference, **unknown, p_value=0.2)

        into_parts(landing, self.run("killed", TUNED_MC), "mc", (8, 12))

        # Compared with what is not landed, and with what is not its base.
        for model, reference in (("elsewhere", {"mc": ("not landed", "R")}), ("sibling", self.plain)):
            run_id = self.run(model, TUNED_MC)
            land_stop(landing, run_id, [into_parts(landing, run_id, "mc", (8,))], None, reference)

        run_id = self.run("wide", TUNED_MC)
        width: dict[str, Any] = {
            "until": "width",
            "stop_reason": "width",
            "verdict": None,
            "width_points": 5.0,
            "margin_points": None,
        }
        land_stop(landing, run_id, [into_parts(landing, run_id, "mc", (8,))], None, self.reference, **width, **none)

        # Of a suite, a part of one task; the other was evaluated before.
        run_id = self.run("mixed", TUNED_MC)
        asked = [into_parts(landing, run_id, "mc", (8,)), self.mixed_gen]
        tasks = {"gen": {"p_value": 1.0, "verdict": "equivalent"}}
        land_stop(landing, run_id, asked, {"mc": 1.0, "gen": 3.0}, self.reference, tasks, low=-20.0, high=-2.0)

        # More was asked since the suite was stopped, of a task alone.
        run_id = self.run("moved", TUNED_MC, GEN)
        asked = [into_parts(landing, run_id, task, (end,)) for task, end in (("mc", 8), ("gen", 4))]
        land_stop(landing, run_id, asked, {"mc": 1.0, "gen": 3.0}, self.reference)
        run_id = self.run("moved", TUNED_MC)
        land_stop(landing, run_id, [into_parts(landing, run_id, "mc", (12,), start=8)], None, self.reference)


def built(home: Home, *arguments: str) -> Home:
    assert not warehouse.load(home).quarantined
    dbt_build(home, "--exclude-resource-type", "unit_test", *arguments)
    return home


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    home = Home(tmp_path_factory.mktemp("whole"))
    nights = Nights(home)
    nights.whole()
    built(home, "--exclude-resource-type", "test")
    more = Home(tmp_path_factory.mktemp("parts") / "data")
    nights.home = more
    shutil.copytree(home.landing, more.landing)
    nights.parts()
    built(more)
    publication.publish(more)
    return {"whole": home, "parts": more}


@pytest.fixture(scope="module")
def ask(homes: dict[str, Home]) -> Iterator[Ask]:
    with duckdb.connect(homes["parts"].warehouse, read_only=True) as connection:

        def answer(query: str, *values: Any) -> Rows:
            result = connection.execute(query, list(values))
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        yield answer


def evaluation(ask: Ask, model: str, task: str = "mc") -> dict[str, Any]:
    (row,) = ask("select * from marts.fct_task_evaluations where model_id = ? and task = ?", model, task)
    return row


def delta(ask: Ask, model: str, scope: str = "task", task: str = "mc", *, is_complete: bool = False) -> dict[str, Any]:
    (row,) = ask(
        "select * from marts.mart_base_vs_finetuned_deltas "
        "where finetuned_model_id = ? and scope = ? and task = ? and is_complete = ?",
        *(model, scope, task, is_complete),
    )
    return row


def test_what_was_asked_and_saved_is_answered_on_what_is_published(homes: dict[str, Home]) -> None:
    (query,) = [query for query in OWN if query.stem == "how_much_was_asked_and_saved"]
    with duckdb.connect(homes["parts"].marts, read_only=True) as connection:
        assert any(row["joules_saved"] for row in answer_to(query, connection))


def test_complete_evaluations_are_what_they_are_without_the_parts(homes: dict[str, Home]) -> None:
    with duckdb.connect() as connection:
        for name, home in homes.items():
            connection.execute(f"attach '{home.warehouse}' as {name} (read_only)")
        query = "select table_name from duckdb_tables() where database_name = 'whole' and schema_name = 'marts'"
        marts = {mart for (mart,) in connection.execute(query).fetchall()}
        assert marts >= WITH_PARTS | OF_RUNS
        for mart in sorted(marts - OF_RUNS):
            adjusted, of_complete = "", "where is_complete" if mart in WITH_PARTS else ""
            if mart == "mart_base_vs_finetuned_deltas":
                # Parts are in the family of what they belong beside, and `gen` of `mixed` was looked at with its suite.
                adjusted, of_complete = "exclude (score_p_adjusted, score_family)", f"{of_complete} and not {LOOKED_AT}"
            before, after = (f"select * {adjusted} from {name}.marts.{mart} {of_complete}" for name in homes)
            different = f"(({before}) except ({after})) union all (({after}) except ({before}))"
            assert connection.execute(different).fetchall() == [], mart
            assert connection.execute(f"from ({before})").fetchall() or mart.startswith(("fct_lead", "mart_")), mart


def test_the_energy_of_a_run_is_that_of_its_parts(ask: Ask) -> None:
    query = "select model_id, round(energy_kwh * 3.6e6, 6) as energy_j, energy_reason from marts.fct_evaluation_runs"
    found = {row["model_id"]: row for row in ask(f"{query} where model_id != 'interrupted'")}
    assert found["whole"]["energy_j"] == found["plain"]["energy_j"] == RUN_J + 1000 + 2000 + 2 * 50
    # Half of the task in the first part, a fifth and 15 % in the others, inference and scoring alike.
    assert found["claimed"]["energy_j"] == RUN_J + 0.85 * 1050
    assert [row["energy_j"] for row in ask(f"{query} where model_id = 'interrupted' order by run_id")] == [
        RUN_J + 0.4 * 1050,
        RUN_J + 0.4 * 1050,
    ]
    nights = ask("select sum(energy_kwh) as kwh, sum(inference_kwh) as inference from marts.mart_emissions_history")
    assert nights[0]["kwh"] == pytest.approx(
        sum(row["kwh"] for row in ask("select energy_kwh as kwh from marts.fct_evaluation_runs"))
    )
    efficiency = "select energy_kwh from marts.mart_model_efficiency where model_id in ('plain', 'whole')"
    assert [row["energy_kwh"] for row in ask(efficiency)] == [pytest.approx(3000 / KWH)] * 2


def test_exports_have_the_energy_of_parts_once(homes: dict[str, Home]) -> None:
    home = homes["parts"]
    with duckdb.connect(home.marts, read_only=True) as marts:
        found = list(published_runs.read(marts, home.landing))
    runs = {run.model.model_id: run for run in found if isinstance(run, published_runs.Run)}
    assert set(runs) == {"base", "plain", "whole", "mixed"}
    for model in ("plain", "whole"):
        (file,) = [each for each in codecarbon.files([runs[model]], START) if isinstance(each, published_runs.File)]
        (row,) = csv.DictReader(io.StringIO(file.text))
        assert float(row["cpu_energy"]) == pytest.approx(0.9 * (RUN_J + 3100) / KWH)
        assert float(row["duration"]) == pytest.approx(17 + 2 * 102)
        (mc,) = [each for each in runs[model].evaluations if each.published.task == "mc"]
        assert mc.inference.energy_kwh == pytest.approx(1000 / KWH)
    reasons = {left.reason for left in found if isinstance(left, published_runs.Left)}
    assert "only a part was asked: 16 of 20 documents" in reasons


def test_a_part_shows_what_was_asked_and_estimates_the_rest(ask: Ask) -> None:
    row = evaluation(ask, "claimed")
    assert (row["is_complete"], row["is_valid"], row["documents_asked"], row["documents_total"]) == (
        False,
        False,
        16,
        20,
    )
    assert (row["stop_reason"], row["score_test"]) == ("claim", "repeated_mcnemar")
    ((correct,),) = [
        tuple(r.values())
        for r in ask("select count(*) filter (where score = 1) from raw.part_samples where run_id = ?", row["run_id"])
    ]
    assert (row["correct_answers"], row["n_documents"], row["score"]) == (correct, 16, pytest.approx(correct / 16))
    assert row["score_normalised"] == pytest.approx(100 * correct / 16)
    assert row["score_low"] < row["score"] < row["score_high"]
    assert row["comparability_key"].endswith(" | suite=mini@v1 | asked=part")
    assert row["score_comparability_key"].endswith(" | asked=part")
    assert (row["energy_kwh"], row["scoring_energy_kwh"]) == pytest.approx((850 / KWH, 0.85 * 50 / KWH))
    assert (row["joules_per_correct"], row["energy_reason"], row["energy_estimate_reason"]) == (None, None, None)
    assert row["joules_per_request"] == pytest.approx(850 / 16)
    # 62.5, 50 and 37.5 J a document in parts of 8, 4 and 4; t with two degrees of freedom
    variance = (8 * 9.375**2 + 4 * 3.125**2 + 4 * 15.625**2) / 2
    half = 4.302653 * 20 * sqrt(variance / 16 * (1 - 16 / 20))
    assert row["energy_kwh_estimate"] == pytest.approx(1062.5 / KWH)
    assert row["energy_kwh_estimate_low"] == pytest.approx(850 / KWH), "all use no less than those asked"
    assert row["energy_kwh_estimate_high"] == pytest.approx((1062.5 + half) / KWH)
    assert row["joules_per_correct_estimate"] == pytest.approx(850 / correct)
    spread = (half / 4.302653 / 1062.5) ** 2 + 0.2 * (1 / (correct + 0.5) - 1 / 16.5)
    assert row["joules_per_correct_estimate_high"] == pytest.approx(850 / correct * exp(4.302653 * sqrt(spread)))
    assert row["joules_saved"] == pytest.approx(212.5)
    assert "per document" in row["joules_saved_method"]


def test_an_estimate_that_cannot_be_made_has_a_reason(ask: Ask) -> None:
    given, killed = evaluation(ask, "given"), evaluation(ask, "killed")
    assert given["energy_kwh_estimate"] == pytest.approx(1000 / KWH)
    assert (given["energy_kwh_estimate_low"], given["joules_per_correct_estimate_low"]) == (None, None)
    assert given["energy_estimate_reason"] == "fewer than three parts show no spread"
    assert (killed["stop_reason"], killed["documents_asked"], killed["energy_kwh"]) == (None, 12, None)
    assert killed["energy_reason"] == "no stop has summed the energies of its parts"
    assert (killed["energy_kwh_estimate"], killed["joules_saved"], killed["joules_saved_method"]) == (None, None, None)
    assert killed["energy_estimate_reason"] == killed["joules_per_correct_estimate_reason"] == killed["energy_reason"]


def test_one_run_continues_another(ask: Ask) -> None:
    row = evaluation(ask, "interrupted")
    runs = ask("select max(run_id) as newest from marts.fct_evaluation_runs where model_id = 'interrupted'")
    assert (row["run_id"], row["documents_asked"], row["stop_reason"]) == (runs[0]["newest"], 16, "budget")
    assert row["energy_kwh"] == pytest.approx(0.8 * 1000 / KWH)
    assert row["energy_kwh_estimate"] == pytest.approx(1000 / KWH)
    assert row["energy_kwh_estimate_low"] == pytest.approx(1000 / KWH), "parts alike"


def test_a_completed_evaluation_says_how_it_was_judged(ask: Ask) -> None:
    whole, plain = evaluation(ask, "whole"), evaluation(ask, "plain")
    assert (whole["is_complete"], whole["is_valid"], whole["documents_asked"]) == (True, True, 20)
    assert (whole["stop_reason"], whole["score_test"]) == ("all", "repeated_mcnemar")
    assert (plain["stop_reason"], plain["score_test"], plain["documents_total"]) == (None, None, 20)
    assert (whole["joules_saved"], whole["energy_kwh_estimate"]) == (0, None)
    assert whole["energy_kwh"] == plain["energy_kwh"]
    assert whole["joules_per_correct"] == plain["joules_per_correct"] == pytest.approx(1000 / 8)
    assert whole["comparability_key"] == plain["comparability_key"]


def test_a_completed_question_keeps_the_test_that_allows_for_looking(ask: Ask) -> None:
    whole, plain = delta(ask, "whole", is_complete=True), delta(ask, "plain", is_complete=True)
    assert (whole["score_test"], whole["score_p_value"]) == ("repeated_mcnemar", 0.04)
    assert (plain["score_test"], plain["score_p_value"]) == ("exact McNemar", pytest.approx(0.125))
    assert (whole["score_delta"], whole["score_delta_low"], whole["score_delta_high"]) == (-20, -39.5, -3)
    assert whole["score_verdict_reason"] == "20 of 20 asked"
    assert (whole["stop_reason"], plain["stop_reason"], plain["score_verdict_reason"]) == ("all", None, None)
    assert (whole["full_delta_low"], whole["full_delta_high"], plain["full_delta_low"]) == (-10, -4, None)
    assert whole["energy_verdict_code"] == plain["energy_verdict_code"]
    gen = delta(ask, "whole", task="gen", is_complete=True)
    assert (gen["score_test"], gen["stop_reason"]) == ("exact McNemar", None)


def test_p_values_of_parts_are_adjusted_with_those_of_complete_questions(ask: Ask) -> None:
    query = (
        "select score_p_value, score_p_adjusted, score_family from marts.mart_base_vs_finetuned_deltas "
        "where scope = 'task' and score_p_value is not null order by score_p_value"
    )
    found = ask(query)
    assert {row["score_family"] for row in found} == {len(found)}
    smallest = min(
        row["score_p_value"] * len(found) / sum(other["score_p_value"] <= row["score_p_value"] for other in found)
        for row in found
    )
    assert found[0]["score_p_adjusted"] == pytest.approx(min(1, smallest))


def test_a_part_beside_its_base(ask: Ask) -> None:
    row, part = delta(ask, "claimed"), evaluation(ask, "claimed")
    (asked,) = ask(
        "select avg(part_samples.score) as tuned, avg(samples.score) as base from raw.part_samples "
        "join raw.samples using (task, document_id) join raw.models on samples.run_id = models.run_id "
        "where part_samples.run_id = ? and models.model_id = 'base'",
        part["run_id"],
    )
    assert (row["base_score"], row["finetuned_score"]) == pytest.approx((100 * asked["base"], 100 * asked["tuned"]))
    assert row["score_delta"] == pytest.approx(100 * (asked["tuned"] - asked["base"]))
    assert (row["documents_paired"], row["documents_asked"], row["documents_total"]) == (16, 16, 20)
    assert (row["score_test"], row["score_p_value"], row["score_margin"]) == ("repeated_mcnemar", 0.01, 2)
    assert (row["score_delta_low"], row["score_delta_high"]) == (-12, -3)
    assert (row["full_delta_low"], row["full_delta_high"]) == (-10, -4)
    assert (row["stop_reason"], row["score_verdict_reason"]) == ("claim", "16 of 20 asked")
    # A claim of 1 % does not outlast a family of eight.
    assert row["score_verdict"] == ("worse" if row["score_p_adjusted"] <= 0.05 else "no difference shown")
    assert row["comparability_key"] == part["comparability_key"]
    for code, verdict in (("reason_code", "verdict"), ("energy_interval_reason_code", "energy_verdict")):
        assert (row[code], row[verdict]) == ("only_a_part", "undetermined")
    assert row["verdict_reason"] == row["energy_interval_reason"] == "only a part was asked"
    assert row["base_energy_kwh"] == pytest.approx(1000 / KWH)
    assert (row["finetuned_energy_kwh"], row["energy_ratio"], row["joules_per_correct_ratio"]) == (None, None, None)
    for column in ("energy_kwh_estimate", "energy_kwh_estimate_high", "joules_per_correct_estimate"):
        assert row[column] == part[column]
    assert row["tasks_planned"] == 2


@pytest.mark.parametrize(
    ("model", "code", "words", "why"),
    [
        (
            "given",
            "no_difference_shown",
            "no difference shown",
            "8 of 20 asked; the rest would show one with a chance below 10 %",
        ),
        ("interrupted", "not_decided_yet", "not decided yet", "16 of 20 asked; the time was up"),
        ("wide", "undetermined", "undetermined", "8 of 20 asked"),
        ("mixed", "not_decided_yet", "not decided yet", "8 of 20 asked"),
    ],
)
def test_verdicts_in_words(ask: Ask, model: str, code: str, words: str, why: str) -> None:
    row = delta(ask, model)
    assert (row["score_verdict_code"], row["score_verdict"], row["score_verdict_reason"]) == (code, words, why)
    if model == "wide":
        assert "until its score was known" in row["score_interval_reason"]


def test_what_is_not_compared_with_its_base_has_no_delta(ask: Ask) -> None:
    query = (
        "select distinct finetuned_model_id from marts.mart_base_vs_finetuned_deltas where not is_complete order by all"
    )
    found = [row["finetuned_model_id"] for row in ask(query)]
    assert found == ["claimed", "given", "interrupted", "mixed", "moved", "wide"]
    query = "select task from marts.mart_base_vs_finetuned_deltas where finetuned_model_id = 'moved' order by task"
    assert [row["task"] for row in ask(query)] == ["gen", "mc"], "more was asked since the suite was stopped"
    assert [evaluation(ask, model)["stop_reason"] for model in ("elsewhere", "sibling")] == ["claim", "claim"]


def test_a_suite_of_which_a_part_was_asked(ask: Ask) -> None:
    row = delta(ask, "mixed", "suite", "")
    assert (row["score_test"], row["score_p_value"]) == ("repeated_normal", 0.01)
    assert (row["score_delta_low"], row["score_delta_high"], row["full_delta_low"]) == (-20, -2, None)
    assert (row["documents_paired"], row["documents_asked"], row["documents_total"]) == (18, 18, 30)
    mc = delta(ask, "mixed")
    # gen, which both were asked in full, weighs three times as much
    assert row["base_score"] == pytest.approx((mc["base_score"] + 3 * 60) / 4)
    assert row["finetuned_score"] == pytest.approx((mc["finetuned_score"] + 3 * 60) / 4)
    assert (row["score_verdict"], row["score_verdict_reason"]) == ("worse", "18 of 30 asked")
    assert row["energy_kwh_estimate"] == pytest.approx((1000 + 2000) / KWH)
    assert (row["tasks_compared"], row["tasks_paired"], row["comparability_key"]) == (
        "gen, mc",
        2,
        mc["comparability_key"],
    )
