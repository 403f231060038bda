"""The verdict on a model as an exit code: by invented pairs whose verdict is known, and by real small models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from evaluators.catalogue.entries import CatalogueError, load
from evaluators.landing.bundles import task_bundle
from evaluators.spec import suite_version
from orchestration.cli import gate as command
from orchestration.defs.evaluations import EvaluationConfig
from orchestration.foreground import Outcome
from orchestration.gates import GateRefused, GateUndecided, landed, verdicts, words
from orchestration.gates.asked import WHOLE_SUITE, Asked, ask
from orchestration.gates.verdicts import Judged
from orchestration.home import MARTS_FILE, PROJECT, Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import into_parts, land_stop
from tests.support.rendered import rendered
from tests.support.tiny import WORDS, model_entry, save_catalogue, save_model, save_tasks

OF = 200
ASKED = Asked("cheap", "base", "base", "pairs", (WHOLE_SUITE,), 2.0, 1.1, passes_inconclusive=False)


def evaluated(right: int, energy_j: float, repetitions: int = 3) -> list[TaskOutcome]:
    """A task's repetitions, of which the energies differ by a percent."""
    answers = [number < right for number in range(OF)]
    return [
        TaskOutcome("t", answers, energy_j * (0.98 + number / 100), chance=0.25, repetition=number)
        for number in range(1, repetitions + 1)
    ]


MODELS = {
    "base": evaluated(150, 1000.0),
    "cheap": evaluated(150, 500.0),
    "alike": evaluated(150, 1005.0),
    "dear": evaluated(150, 1500.0),
    "worse": evaluated(110, 100.0),
    "unrepeated": evaluated(150, 500.0, repetitions=1),
}
# What is asked, and what is to be found: the outcome of the score, of the energy, and of the gate.
GATES: dict[str, tuple[Asked, str, str | None, str]] = {
    "cheaper": (ASKED, "PASS", "PASS", "PASS"),
    "alike": (replace(ASKED, candidate="alike"), "PASS", "PASS", "PASS"),
    "dearer": (replace(ASKED, candidate="dear"), "PASS", "FAIL", "FAIL"),
    "dearer within the margin": (replace(ASKED, candidate="dear", energy_margin=1.8), "PASS", "PASS", "PASS"),
    "dearer and nobody asks": (replace(ASKED, candidate="dear", energy_margin=None), "PASS", None, "PASS"),
    "worse": (replace(ASKED, candidate="worse"), "FAIL", "PASS", "FAIL"),
    "worse within the margin": (replace(ASKED, candidate="worse", score_margin=60.0), "PASS", "PASS", "PASS"),
    "a narrow margin": (replace(ASKED, score_margin=0.5), "INCONCLUSIVE", "PASS", "INCONCLUSIVE"),
    "one repetition": (replace(ASKED, candidate="unrepeated"), "PASS", "INCONCLUSIVE", "INCONCLUSIVE"),
    "a task": (replace(ASKED, candidate="worse", questions=("t",)), "FAIL", "PASS", "FAIL"),
    "no base of it": (
        replace(ASKED, candidate="dear", reference="cheap", compare_with="cheap"),
        "PASS",
        "FAIL",
        "FAIL",
    ),
    "the revision before": (replace(ASKED, reference="cheap", compare_with="last"), "FAIL", "PASS", "FAIL"),
}
# Of these a part was asked: 40 documents. What is landed of the stop, and with which model it was compared.
STOPPED: dict[str, tuple[str, bool, dict[str, Any]]] = {
    "stopped": ("base", False, {"verdict": "worse", "p_value": 0.01, "low": -12.0, "high": -3.0}),
    "given up": (
        "dear",
        False,
        {"stop_reason": "given_up", "verdict": "no_difference_shown", "p_value": 0.4, "low": -3.0, "high": 2.0},
    ),
    "suite": ("dear", True, {"verdict": "equivalent", "p_value": 0.6, "low": -3.0, "high": 2.5}),
}
IN_PART = replace(ASKED, questions=("t",))
GATES |= {
    "a part is worse": (replace(IN_PART, candidate="stopped"), "FAIL", "INCONCLUSIVE", "FAIL"),
    "worse within a repeated interval": (
        replace(IN_PART, candidate="stopped", score_margin=12.5),
        "PASS",
        "INCONCLUSIVE",
        "INCONCLUSIVE",
    ),
    "given up": (
        replace(IN_PART, candidate="given up", reference="dear", compare_with="dear"),
        "INCONCLUSIVE",
        "INCONCLUSIVE",
        "INCONCLUSIVE",
    ),
    "a suite is equivalent": (
        replace(ASKED, candidate="suite", reference="dear", compare_with="dear", energy_margin=None),
        "PASS",
        None,
        "PASS",
    ),
    "a suite is not shown to be within less": (
        replace(ASKED, candidate="suite", reference="dear", compare_with="dear", score_margin=1.0, energy_margin=None),
        "INCONCLUSIVE",
        None,
        "INCONCLUSIVE",
    ),
}


@dataclass(frozen=True)
class Decided:
    home: Home
    ids: Mapping[str, str]
    found: Mapping[str, list[Judged]]  # by the first build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Decided:
    """All gates, asked and published; the one called `cheaper` is decided before another build."""
    home = Home(tmp_path_factory.mktemp("gates"))
    runs = {
        name: BuiltRun(home.landing, name, outcomes, suite="pairs", base=None if name == "base" else "base")
        for name, outcomes in MODELS.items()
    }
    earlier = replace(runs["cheap"], revision="r0", at=START - timedelta(days=1), outcomes=evaluated(190, 900.0))
    earlier.land()
    landed_as = {name: run.land() for name, run in runs.items()}
    for name, (other, is_suite, said) in STOPPED.items():
        runs[name] = BuiltRun(home.landing, name, evaluated(140, 700.0, 1), suite="pairs", base="base", planned=["t"])
        run_id = runs[name].land()
        compared_with = {"t": (task_bundle(runs[other].fingerprint("t"), 1), landed_as[other])}
        part = into_parts(home.landing, run_id, "t", (40,))
        stop = {"suite": "pairs", "reference_model_id": other, **said}
        land_stop(home.landing, run_id, [part], {"t": 1.0} if is_suite else None, compared_with, **stop)
    ids = {}
    for name, (asked, *_) in GATES.items():
        reference = earlier if asked.names_an_earlier_revision else runs[asked.reference]
        sides = landed.Sides(runs[asked.candidate].model_key, reference.model_key)
        ids[name] = landed.land_question(home.landing, asked, sides)
    _publish(home)
    found = {
        name: verdicts.judge(verdicts.published(home, ids[name], asked).figures, asked)
        for name, (asked, *_) in GATES.items()
    }
    landed.land_verdicts(home.landing, ids["cheaper"], "PASS", found["cheaper"])
    BuiltRun(
        home.landing, "cheap", evaluated(150, 5000.0), suite="pairs", base="base", at=START + timedelta(days=1)
    ).land()
    _publish(home)
    return Decided(home, ids, found)


def _publish(home: Home) -> None:
    assert not warehouse.load(home).quarantined
    selected = ("+mart_gates", "+dim_models", "+mart_base_vs_finetuned_deltas")
    # Without the tests that also need other marts.
    dbt_build(home, "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious", "--select", *selected)
    publication.publish(home, checks={"passed": 1, "failed": 0})


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(home.current / MARTS_FILE, read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("name", GATES)
def test_a_gate_has_the_verdict_that_is_known(built: Decided, name: str) -> None:
    asked, score, energy, outcome = GATES[name]
    (each,) = found = built.found[name]
    assert (each.score_outcome, each.energy_outcome, verdicts.overall(found)) == (score, energy, outcome)
    (line, *_) = words.lines(asked, found)
    assert line.remedy is None if score != "INCONCLUSIVE" else "more documents" in str(line.remedy)


def test_a_part_says_what_the_rest_would_bring(built: Decided) -> None:
    score, energy = words.lines(GATES["given up"][0], built.found["given up"])
    assert str(score.remedy).endswith("asks the 160 that are left, which would decide it with a chance below 10 %")
    assert "about " in energy.figure
    assert energy.figure.endswith("times, estimated from a part")
    assert "a part decides no energy; `evalwatt evaluate given up --suite pairs --complete`" in str(energy.remedy)
    pairs = "select * from marts.mart_base_vs_finetuned_deltas where finetuned_model_id in ('given up', 'suite')"
    assert not rows(built.home, pairs), "they were compared with what is not their base"


def test_the_remedies_decide(built: Decided) -> None:
    (each,) = built.found["one repetition"]
    assert (each.further_documents, each.further_repetitions) == (None, 2)
    score, energy = words.lines(GATES["one repetition"][0], [each])
    assert (score.remedy, energy.verdict) == (None, "cannot be told")
    assert "2 more repetitions of both" in str(energy.remedy)
    assert "repetitions: 3 in the suite" in str(energy.remedy)
    assert energy.interval == "not known: candidate: one repetition"


def test_a_decided_gate_keeps_its_figures_and_is_counted(built: Decided) -> None:
    query = "select outcome, energy_outcome, joules_per_correct_ratio < 1, gates_before from marts.mart_gates"
    (first,) = rows(built.home, f"{query} where gate_id = '{built.ids['cheaper']}'")
    assert first == ("PASS", "PASS", True, 0), "although the candidate was evaluated again since, and is dear now"
    (other,) = rows(built.home, f"{query} where gate_id = '{built.ids['a narrow margin']}'")
    assert other == (None, None, False, 1)


def test_only_gates_compare_what_is_no_base(built: Decided) -> None:
    query = "select base_model_id, finetuned_model_id, score_family from marts.mart_base_vs_finetuned_deltas"
    pairs = rows(built.home, f"{query} where scope = 'suite'")
    assert {pair[:2] for pair in pairs} == {("base", name) for name in MODELS if name != "base"}
    assert {family for *_, family in pairs} == {len(pairs)}, "a gate adds nothing to the family of comparisons"
    (figures,) = verdicts.published(built.home, built.ids["no base of it"], GATES["no base of it"][0]).figures
    assert figures.score_delta == 0


def test_what_the_marts_do_not_compare_is_not_decided(built: Decided) -> None:
    with pytest.raises(GateUndecided, match="is not in the published marts"):
        verdicts.published(built.home, "0" * 26, ASKED)


def test_each_of_several_tasks_fails_at_a_part_of_the_five_percent(built: Decided) -> None:
    (figures,) = verdicts.published(built.home, built.ids["a task"], GATES["a task"][0]).figures
    figures = replace(figures, score_p_value=0.03)
    (alone,) = verdicts.judge([figures], GATES["a task"][0])
    both = verdicts.judge([figures, figures], GATES["a task"][0])
    assert (alone.score_verdict, both[0].score_verdict) == ("worse", "no_difference_shown")
    said = words.text(GATES["a task"][0], verdicts.Published([figures] * 2, 0, None), both, verdicts.overall(both))
    assert "each of 2 tasks fails at 5 %/2" in said


def test_the_warning_about_tuning_begins_where_a_wrong_pass_is_likely() -> None:
    with duckdb.connect() as connection:
        query = rendered("select {{ tuning_warning('number') }} from (values (13), (14)) as gates (number)")
        (before,), (warning,) = connection.execute(query).fetchall()
    assert before is None
    assert "gate 14 of this model" in warning
    assert "51 %" in warning


# Asking.


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that says green, a fine-tune that says blue instead, one that says the same, and one that is not there.

    Green is always right.
    """
    place = tmp_path_factory.mktemp("a place")
    save_model(place / "base")
    _save_variant(place / "flipped", _swap_colours)
    _save_variant(place / "same", lambda weights: weights["lm_head.weight"].mul_(1.001))
    data = save_tasks(place / "tasks", ("tiny_one",), documents=120) / "tiny_one.jsonl"
    documents = [json.loads(line) | {"gold": 1} for line in data.read_text().splitlines()]
    data.write_text("".join(json.dumps(document) + "\n" for document in documents))
    tuned = {"kind": "fine_tuned", "base_model": "base"}
    models = [model_entry(name, name, **tuned) for name in ("flipped", "same")]
    models += [model_entry("base", "base"), model_entry("gone", "nowhere", **tuned)]
    path = save_catalogue(place, tasks=["tiny_one"], models=models)
    document = json.loads(path.read_text())
    document["suites"]["second"] = document["suites"]["tiny"]
    document["models"].append(model_entry("both", "base", suites=["tiny", "second"]))
    path.write_text(json.dumps(document))
    return place


def _save_variant(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    from safetensors.torch import load_file, save_file

    save_model(folder)
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def _swap_colours(weights: dict[str, Any]) -> None:
    blue, green = (3 + WORDS.index(word) for word in ("blue", "green"))  # after the three special tokens
    head = weights["lm_head.weight"]
    head[[blue, green]] = head[[green, blue]]


def asked(place: Path, model: str, against: str, suite: str | None = None, *tasks: str) -> Asked:
    catalogue = load(place / "catalogue.yml")
    return ask(catalogue, model, against, suite, tasks, score_margin=2.0, energy_margin=1.1, passes_inconclusive=False)


def test_what_is_asked(place: Path) -> None:
    assert asked(place, "same", "base").reference == "base"
    assert asked(place, "same", "flipped").reference == "flipped"
    assert asked(place, "same", "last").names_an_earlier_revision
    assert asked(place, "same", "base").questions == (WHOLE_SUITE,)
    assert asked(place, "same", "base", "tiny", "b", "a", "b").questions == ("b", "a")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("base", "base"), "base cannot be compared with base: it has no base"),
        (("same", "same"), "--against last names its revision before"),
        (("both", "base"), "both has several suites; name one with --suite: tiny, second"),
        (("same", "both", "second"), "same does not have the suite second; its suites: tiny"),
    ],
)
def test_wrong_questions_are_refused(place: Path, names: tuple[str, ...], problem: str) -> None:
    with pytest.raises(GateRefused, match=problem):
        asked(place, *names)


@pytest.mark.parametrize("names", [("unknown", "base"), ("same", "unknown"), ("same", "base", "unknown")])
def test_unknown_names_are_refused(place: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(CatalogueError, match=r"there is no (model|suite) 'unknown'"):
        asked(place, *names)


def test_the_reference_comes_first_and_whole_and_the_gate_says_how_much_is_asked(place: Path, tmp_path: Path) -> None:
    started: list[tuple[str, Mapping[str, Any]]] = []

    class Recorder:
        def evaluate(self, model: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> Outcome:
            started.append((model, config))
            return Outcome("", succeeded=True, reasons=())

    catalogue, question = load(place / "catalogue.yml"), replace(asked(place, "same", "flipped"), score_margin=3.0)
    command._evaluated(Recorder(), Home(tmp_path), catalogue, question)  # type: ignore[arg-type]
    (reference, whole), (candidate, config) = started
    assert (reference, whole) == ("flipped", {"suites": ["tiny"], "complete": True})
    assert (candidate, config) == ("same", {"suites": ["tiny"], "compare_with": "flipped", "margin": 3.0})
    EvaluationConfig(**config)
    suite = catalogue.compared_with("flipped", 3.0).suite("tiny")
    assert (suite.compare_with, suite.margin_points) == ("flipped", 3.0)
    assert suite_version(suite) == suite_version(catalogue.suite("tiny")), "it enters no key"


# The command, on real models.


def gate(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EVALWATT_", "DAGSTER_"))}
    command = [sys.executable, "-m", "orchestration.cli", "gate", *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def fresh(place: Path) -> subprocess.CompletedProcess[str]:
    """A gate where nothing was evaluated before, as on a fresh runner."""
    return gate(place, *"flipped --against base --task tiny_one --energy off --json --markdown gate.md".split())


def test_a_worse_model_fails_on_a_fresh_runner(place: Path, fresh: subprocess.CompletedProcess[str]) -> None:
    assert fresh.returncode == 3, fresh.stderr
    facts = json.loads(fresh.stdout)
    assert (facts["outcome"], facts["exit_code"], facts["gates_before"]) == ("FAIL", 3, 0)
    (question,) = facts["questions"]
    assert (question["task"], question["score_verdict"], question["energy_outcome"]) == ("tiny_one", "worse", None)
    assert question["score_delta_high"] < -2
    mart = Home(place / "data")
    columns = {name for (name, *_) in rows(mart, "describe marts.mart_gates")}
    assert question.keys() <= columns, "one name for one thing"
    assert rows(mart, "select gate_id, outcome, score_delta from marts.mart_gates") == [
        (facts["gate_id"], "FAIL", question["score_delta"])
    ]
    summary = (place / "gate.md").read_text()
    assert summary.startswith("### FAIL\n\nflipped against base on tiny.\n")
    assert "| tiny_one: score | -" in summary
    assert "| **FAIL** |" in summary


def test_an_equal_model_passes_and_nothing_is_evaluated_twice(
    place: Path, fresh: subprocess.CompletedProcess[str]
) -> None:
    done = gate(place, *"same --against base --score-margin 5 --energy off".split())
    assert done.returncode == 0, done.stderr
    assert "base on tiny: not due" in done.stderr
    head, line, verdict = done.stdout.splitlines()
    assert head == "same against base on tiny"
    assert line == "  score  +0.0 points (95 % interval: -4.5 to +4.5), margin 5 points: equivalent: PASS"
    assert verdict == "PASS"


def test_what_is_not_shown_passes_only_when_asked_to(place: Path, fresh: subprocess.CompletedProcess[str]) -> None:
    done = gate(place, "same", "--against", "base")
    assert done.returncode == 4, done.stderr
    assert "\nINCONCLUSIVE\n" in done.stdout
    assert "score: about " in done.stdout
    assert "if the difference stays as it is; more than there are" in done.stdout
    assert "energy per correct answer: nothing can be said of it: " in done.stdout
    done = gate(place, *"same --against flipped --task tiny_one --inconclusive pass".split())
    assert done.returncode == 0, done.stderr
    assert ": better: PASS" in done.stdout
    assert "\nINCONCLUSIVE, and passes as --inconclusive says\n" in done.stdout


def test_what_cannot_be_evaluated_is_neither_worse_nor_inconclusive(
    place: Path, fresh: subprocess.CompletedProcess[str]
) -> None:
    for said, problem in (
        ("gone --against base", "gone could not be evaluated"),
        ("same --against last", "no earlier revision of same is evaluated completely"),
        ("same --against base --task nothing", "tiny has no task nothing; its tasks: tiny_one"),
    ):
        done = gate(place, *said.split())
        assert (done.returncode, done.stdout) == (1, ""), said
        assert problem in done.stderr
        assert "unexpected" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "same",
        "same --against nobody",
        "same --against base --energy off --energy-margin 5%",
        "same --against base --markdown nowhere/gate.md",
        "same --against base --score-margin 0",
    ],
)
def test_wrong_use_is_neither_worse_nor_inconclusive(place: Path, arguments: str) -> None:
    assert gate(place, *arguments.split()).returncode == 2


def test_the_example_workflow_gates_and_shows_the_summary() -> None:
    workflow = yaml.safe_load((PROJECT / "examples" / "gate.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    steps = [step["run"] for step in job["steps"] if "run" in step]
    (gating,) = [step for step in steps if "evalwatt gate" in step]
    assert "--markdown gate.md" in gating
    (showing,) = [step for step in job["steps"] if "GITHUB_STEP_SUMMARY" in step.get("run", "")]
    assert showing["if"] == "always()"
