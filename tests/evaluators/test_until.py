"""Questions that end once their answer is known: how much is asked, what is landed, and what later runs do with it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evaluators.energy.replay import ReplayMeter
from evaluators.harness.asking import Asking
from evaluators.harness.interruption import Interrupted
from evaluators.landing import bundles, parts
from evaluators.landing.decisions import exclude
from evaluators.landing.stops import finding
from evaluators.process.run import evaluate
from evaluators.records import PartEmission, Sample, Stop, TaskEmission, TaskResult
from evaluators.statistics import decided, mcnemar
from evaluators.statistics.paired import Pairs
from tests.support import asked, tiny
from tests.support.readings import READING

DECIDED: dict[str, Any] = {"until": "decided", "margin": 4}
OF_BASE: dict[str, Any] = {"kind": "fine_tuned", "base_model": "base"}
MODELS: dict[str, dict[str, Any]] = {"base": {}, "other": OF_BASE, "same": OF_BASE}
# Of a row, what depends on the run that landed it.
OF_A_RUN = {"run_id", "started_at", "ended_at", "duration_s", "foreign_programs", "is_sum_of_parts"}
# Tokens that are read once per call, which a question asked in chunks reads a little more often.
READ = {"tokens_computed", "tokens_distinct", "tokens_shared"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """One task of 200 documents, decided as a whole suite; the base is evaluated."""
    asked.save(tmp_path, {"one": 200}, DECIDED, MODELS)
    asked.run(tmp_path, "base")
    return tmp_path


def stops(folder: Path) -> dict[str, Stop]:
    """The last stop of each question."""
    return {str(row["task"]): Stop(**row) for row in tiny.rows(folder, Stop.table)}  # type: ignore[arg-type]


def rows_of(folder: Path, run_id: str, *tables: str) -> list[dict[str, Any]]:
    """A run's rows as they would be in any other run."""
    found = [
        {name: value for name, value in row.items() if name not in OF_A_RUN | READ}
        for table in tables
        for row in tiny.rows(folder, table)
        if row["run_id"] == run_id and row["task"]
    ]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def test_a_worse_model_is_asked_until_that_is_known(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    summary = asked.run(place, "other")
    (task,) = summary.tasks
    assert (summary.status, task.documents, task.documents_total) == ("completed", 32, 200)
    assert "tiny: worse than base, 32 of 200 documents asked" in capfd.readouterr().err
    assert [row for row in tiny.rows(place, "task_results") if row["run_id"] == summary.run_id] == []
    assert {row["place"] for row in tiny.rows(place, "part_samples")} == set(range(32))
    (suite, of_task) = stops(place)[""], stops(place)["one"]
    assert (suite.stop_reason, suite.verdict, suite.documents_asked, suite.documents_total) == (
        "claim",
        "worse",
        32,
        200,
    )
    assert (of_task.stop_reason, of_task.verdict, of_task.score_test) == ("claim", "worse", "repeated_mcnemar")
    (look,) = json.loads(of_task.looks_json)
    pairs = Pairs(32, look["one"]["gained"], look["one"]["lost"])
    assert of_task.p_value == pytest.approx(mcnemar.repeated_p_value([pairs], 200))
    assert of_task.low is not None
    assert of_task.high is not None
    assert of_task.low < 100 * pairs.net / 32 < of_task.high < 0
    assert of_task.full_low is not None
    assert of_task.full_high is not None


def test_what_is_known_is_not_asked_again(place: Path) -> None:
    asked.run(place, "other")
    found = asked.planned(place, "other")
    assert (found.due, found.reason.split(" by ")[0]) == (False, "worse than base, 32 of 200 documents asked")


def test_the_full_run_agrees_with_the_intervals_of_the_part(place: Path) -> None:
    asked.run(place, "other")
    part = stops(place)["one"]
    summary = asked.run(place, "other", complete=True)
    base = 1.0
    difference = 100 * (summary.tasks[0].score - base)
    assert part.full_low is not None
    assert part.full_high is not None
    assert part.full_low <= difference <= part.full_high
    whole = stops(place)["one"]
    assert (whole.stop_reason, whole.documents_asked) == ("all", 200)
    assert (whole.full_low, whole.full_high) == (pytest.approx(difference), pytest.approx(difference))
    assert [look["one"]["asked"] for look in json.loads(whole.looks_json)][:2] == [32, 45], "a suite's looks"
    assert whole.p_value is not None
    assert part.p_value is not None
    assert whole.p_value <= part.p_value
    path = [Pairs(**{name: look["one"][name] for name in ("asked", "gained", "lost")}) for look in _looks(whole)]
    assert whole.p_value == pytest.approx(mcnemar.repeated_p_value(path, 200), rel=1e-9), (
        "of all looks, not of the last"
    )
    assert (whole.low, whole.high) == pytest.approx(decided.task_interval(path, 200), rel=1e-9)


def test_a_completed_question_is_that_of_one_go(place: Path) -> None:
    asked.run(place, "other")
    completed = asked.run(place, "other", complete=True)
    at_once = asked.run(place, "other", complete=True, force=True)
    tables = TaskResult.table, Sample.table
    assert rows_of(place, completed.run_id, *tables) == rows_of(place, at_once.run_id, *tables)
    assert len(rows_of(place, completed.run_id, Sample.table)) == 200
    windows = rows_of(place, completed.run_id, TaskEmission.table)
    assert windows == rows_of(place, at_once.run_id, TaskEmission.table)
    sums = {row["is_sum_of_parts"] for row in tiny.rows(place, TaskEmission.table) if row["run_id"] == completed.run_id}
    assert sums == {True, False}, "the run's own phases are no sums"


def test_equal_answers_are_equivalent(place: Path) -> None:
    (task,) = asked.run(place, "same").tasks
    stop = stops(place)[""]
    assert (stop.stop_reason, stop.verdict) == ("claim", "equivalent")
    assert 32 < task.documents < 200


def test_a_smaller_margin_asks_on_where_it_was_stopped(place: Path) -> None:
    first = asked.run(place, "same").tasks[0].documents
    _change(place, margin=3.1)
    assert asked.planned(place, "same").due
    before = {row["place"] for row in tiny.rows(place, "part_samples")}
    summary = asked.run(place, "same")
    later = [row["place"] for row in tiny.rows(place, "part_samples") if row["run_id"] == summary.run_id]
    assert before == set(range(first))
    assert set(later).isdisjoint(before)
    asked_now = summary.tasks[0].documents
    assert asked_now == len(before) + len(later) > first
    assert not asked.planned(place, "same").due


def test_a_suite_is_judged_by_all_its_tasks(tmp_path: Path) -> None:
    asked.save(tmp_path, {"one": 300, "two": 60, "three": 20}, DECIDED, MODELS)
    asked.run(tmp_path, "base")
    summary = asked.run(tmp_path, "other")
    found = stops(tmp_path)
    assert found.keys() == {"", "one", "two", "three"}
    assert (found[""].verdict, found[""].score_test) == ("worse", "repeated_normal")
    counts = {task.task: (task.documents, task.documents_total) for task in summary.tasks}
    assert counts == {"one": (32, 300), "two": (32, 60), "three": (20, None)}, "as many of each, at most all"
    assert found[""].documents_asked == 84
    last = json.loads(found[""].looks_json)[-1]
    assert {task: look["asked"] for task, look in last.items()} == {task: of[0] for task, of in counts.items()}
    assert not asked.planned(tmp_path, "other").due


def test_a_task_whose_answers_are_more_than_right_or_wrong_is_asked_in_full_first(tmp_path: Path) -> None:
    asked.save(tmp_path, {"one": 300, "two": 40}, DECIDED, MODELS)
    (tmp_path / "tasks" / "shades.py").write_text(
        "def score(doc, results):\n"
        "    (blue, _), (green, _) = results\n"
        "    return {'acc': 0.75 if (green > blue) == bool(doc['gold']) else 0.25}\n"
    )
    tiny.use_function(tmp_path / "tasks", "two", "process_results", "shades.score")
    asked.run(tmp_path, "base")
    summary = asked.run(tmp_path, "other")
    assert {task.task: (task.documents, task.documents_total) for task in summary.tasks} == {
        "one": (32, 300),
        "two": (40, None),
    }
    found = stops(tmp_path)
    assert found.keys() == {"", "one"}, "nothing is known of it at each look"
    assert found[""].verdict == "worse"


def test_a_task_may_have_an_until_of_its_own(tmp_path: Path) -> None:
    tasks: list[object] = [{"task": "one", "until": "decided"}, {"task": "two", "until": "±9 points"}, "three"]
    asked.save(tmp_path, {"one": 200, "two": 200, "three": 40}, {}, MODELS)
    document = json.loads((tmp_path / "catalogue.yml").read_text())
    document["suites"]["tiny"]["tasks"] = tasks
    (tmp_path / "catalogue.yml").write_text(json.dumps(document))
    base = asked.run(tmp_path, "base")
    assert {task.task: task.documents_total for task in base.tasks} == {"one": None, "two": 200, "three": None}
    summary = asked.run(tmp_path, "other")
    counts = {task.task: (task.documents, task.documents_total) for task in summary.tasks}
    assert counts["one"] == (32, 200)
    assert counts["three"] == (40, None)
    width = stops(tmp_path)["two"]
    assert (width.until, width.stop_reason, width.verdict, width.score_test) == ("width", "width", None, None)
    assert width.low is not None
    assert width.high is not None
    assert width.high - width.low <= 18
    assert width.documents_asked % 32 == 0
    assert not asked.planned(tmp_path, "other").due


def test_every_repetition_is_asked_as_far(place: Path) -> None:
    _change(place, repetitions=2)
    asked.run(place, "base")
    summary = asked.run(place, "other")
    assert [(task.repetition, task.documents) for task in summary.tasks] == [(1, 32), (2, 32)]
    assert not asked.planned(place, "other").due


def test_a_run_that_is_ended_between_chunks_is_continued(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = asked.run(place, "same")
    shutil.rmtree(place / "home" / "landing" / whole.run_id)
    with _interrupted_after(monkeypatch, chunks=2), pytest.raises(Interrupted):
        asked.run(place, "same")
    stop = stops(place)[""]
    assert (stop.stop_reason, stop.verdict, stop.documents_asked) == ("budget", None, 45)
    found = asked.planned(place, "same")
    assert found.due
    assert "asked in part, 45 of 200 documents" in found.reason
    summary = asked.run(place, "same")
    assert [task.documents for task in summary.tasks] == [task.documents for task in whole.tasks]
    assert (stops(place)[""].stop_reason, stops(place)[""].verdict) == ("claim", "equivalent")
    places = [row["place"] for row in tiny.rows(place, "part_samples")]
    assert sorted(places) == list(range(len(places))), "nothing is asked twice"


def test_who_excludes_a_run_learns_which_other_run_has_its_answers(place: Path) -> None:
    first = asked.run(place, "other")
    landing = place / "home" / "landing"
    assert parts.completed_with(landing, first.run_id) == []
    second = asked.run(place, "other", complete=True)
    assert parts.completed_with(landing, first.run_id) == [second.run_id]
    assert parts.completed_with(landing, second.run_id) == []


def test_a_damaged_part_is_asked_again(place: Path) -> None:
    first = asked.run(place, "other")
    (path,) = (place / "home" / "landing" / first.run_id).glob("part-*/part_samples.*")
    path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    summary = asked.run(place, "other", complete=True)
    assert (summary.status, summary.tasks[0].documents) == ("completed", 200)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("raise ValueError('this document has no answer')", "this document has no answer"),
        ("return {'acc': {1}}", "a metric of a document is set, which cannot be landed"),
    ],
)
def test_a_document_that_cannot_be_scored_fails_its_task_and_the_others_are_asked_in_full(
    tmp_path: Path, broken: str, words: str
) -> None:
    asked.save(tmp_path, {"one": 120, "two": 120}, DECIDED | {"repetitions": 2}, MODELS)
    asked.run(tmp_path, "base")
    tasks = tmp_path / "tasks"
    (tasks / "bad.py").write_text(
        "def score(doc, results):\n"
        "    import json, pathlib\n"
        f"    if pathlib.Path({str(tmp_path / 'broken')!r}).exists():\n"
        f"        {broken}\n"
        "    return {'acc': 1.0}\n"
    )
    (tmp_path / "broken").touch()
    tiny.use_function(tasks, "two", "process_results", "bad.score")
    (tmp_path / "broken").unlink()
    asked.run(tmp_path, "base")
    (tmp_path / "broken").touch()
    summary = asked.run(tmp_path, "other")
    assert summary.failures.keys() == {"two"}
    assert words in summary.failures["two"]
    metered = [row["phase"] for row in tiny.rows(tmp_path, TaskEmission.table) if row["task"] == "two"]
    assert metered.count("inference") == 2 * 2 + 1, "also of what failed, which is tried once"
    assert {task.task: task.documents_total for task in summary.tasks} == {"one": None}


def test_the_energy_of_parts_is_counted_once(place: Path) -> None:
    meter = ReplayMeter([dataclasses.replace(READING, duration_s=0.6)] * 40)
    summary = evaluate(asked.spec(place, "same"), meter=meter)
    run_windows = [row for row in tiny.rows(place, TaskEmission.table) if row["run_id"] == summary.run_id]
    own = [row["energy_kwh"] for row in run_windows if not row["is_sum_of_parts"]]
    of_parts = [row["energy_kwh"] for row in tiny.rows(place, PartEmission.table) if row["run_id"] == summary.run_id]
    assert summary.energy_kwh == pytest.approx(sum(own) + sum(of_parts))
    sums = {row["phase"]: row for row in run_windows if row["is_sum_of_parts"]}
    inference = [row for row in tiny.rows(place, PartEmission.table) if row["phase"] == "inference"]
    assert sums["inference"]["energy_kwh"] == pytest.approx(sum(row["energy_kwh"] for row in inference))
    assert sums["inference"]["quality_flags"] is None, "no chunk takes a second, all together do"
    assert sums["inference"]["requests"] == sum(row["requests"] for row in inference)


def test_parts_from_different_machines_have_no_energy_together(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _interrupted_after(monkeypatch, chunks=2), pytest.raises(Interrupted):
        evaluate(asked.spec(place, "same"), meter=ReplayMeter([READING] * 40))
    _change(place, machine_id="another machine")
    evaluate(asked.spec(place, "same"), meter=ReplayMeter([READING] * 40))
    (row,) = [
        row
        for row in tiny.rows(place, TaskEmission.table)
        if row["is_sum_of_parts"] and row["phase"] == "inference" and row["quality_flags"]
    ]
    assert (row["energy_kwh"], row["quality_flags"]) == (None, "mixed_conditions")


def test_a_forced_run_asks_anew(place: Path) -> None:
    asked.run(place, "other")
    summary = asked.run(place, "other", force=True)
    assert summary.tasks[0].documents == 32
    found = [row["run_id"] for row in tiny.rows(place, "part_samples")]
    assert found.count(summary.run_id) == 32


def test_other_questions_of_the_reference_compare_nothing(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = asked.spec(place, "other")
    path = next((place / "tasks").glob("one.jsonl"))
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    summary = evaluate(spec)
    assert "tiny: asked in full: one: the reference was asked other questions" in capfd.readouterr().err
    assert summary.tasks[0].documents_total is None


def test_documents_are_asked_in_an_order_of_the_models_own_which_stays(place: Path) -> None:
    """The first ones of the data would be no sample of them."""

    def order(model: str, **how: bool) -> list[object]:
        run_id = asked.run(place, model, **how).run_id
        found = {
            row["place"]: row["document_id"] for row in tiny.rows(place, "part_samples") if row["run_id"] == run_id
        }
        return [found[number] for number in range(32)]

    first = order("other")
    assert first != sorted(first)  # type: ignore[type-var]
    assert max(int(str(document)) for document in first) > 100
    assert order("other", force=True) == first
    assert order("same") != first


def test_the_prompts_of_a_part_are_those_of_the_full_run(place: Path) -> None:
    asked.run(place, "other")
    part = {row["document_id"]: row["prompt_hash"] for row in tiny.rows(place, "part_samples")}
    summary = asked.run(place, "other", complete=True, force=True)
    whole = [row for row in tiny.rows(place, Sample.table) if row["run_id"] == summary.run_id]
    assert part.items() <= {row["document_id"]: row["prompt_hash"] for row in whole}.items()


def test_the_order_is_that_of_the_fingerprint(place: Path) -> None:
    """Whether other tasks of the model get a chat template is no part of it."""
    first = asked.run(place, "same").tasks[0].documents
    path = place / "catalogue.yml"
    document = json.loads(path.read_text())
    document["suites"]["tiny"]["tasks"][0]["apply_chat_template"] = False
    for model in document["models"]:
        model["chat_template"] = True
        template = place / model["path"] / "chat_template.jinja"
        template.write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    path.write_text(json.dumps(document))
    summary = asked.run(place, "same", complete=True)
    assert summary.tasks[0].documents == 200
    later = {row["place"] for row in tiny.rows(place, "part_samples") if row["run_id"] == summary.run_id}
    assert later == set(range(200)) - set(range(first)) or later == set(range(200)), "a template may be another model"
    documents = [row["document_id"] for row in tiny.rows(place, Sample.table) if row["run_id"] == summary.run_id]
    assert sorted(documents) == list(range(200))


@pytest.mark.parametrize("loss", ["damaged", "excluded"])
def test_without_its_reference_a_question_is_completed_and_compared_with_nothing(place: Path, loss: str) -> None:
    asked.run(place, "other")
    (run,) = [row["run_id"] for row in tiny.rows(place, "evaluation_runs") if row["model_id"] == "base"]
    if loss == "excluded":
        exclude(place / "home" / "landing", str(run), "it was wrong", "a test")
    else:
        (path,) = (place / "home" / "landing" / str(run)).glob("*/samples.*")
        path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    summary = asked.run(place, "other", complete=True)
    assert (summary.status, summary.tasks[0].documents) == ("completed", 200)
    assert stops(place)[""].stop_reason == "claim", "no later one"


def test_what_was_looked_at_has_its_last_look_even_where_until_is_gone(place: Path) -> None:
    asked.run(place, "other")
    path = place / "catalogue.yml"
    document = json.loads(path.read_text())
    del document["suites"]["tiny"]["until"]
    path.write_text(json.dumps(document))
    asked.run(place, "other")
    assert (stops(place)["one"].stop_reason, stops(place)["one"].documents_asked) == ("all", 200)


def test_a_task_that_was_whole_before_has_no_stop_of_its_own(tmp_path: Path) -> None:
    asked.save(tmp_path, {"one": 120, "two": 120}, {}, MODELS)
    path = tmp_path / "catalogue.yml"
    document = json.loads(path.read_text())
    tasks = document["suites"]["tiny"]["tasks"]
    document["suites"]["tiny"]["tasks"] = tasks[:1]
    path.write_text(json.dumps(document))
    asked.run(tmp_path, "base")
    asked.run(tmp_path, "other")
    document["suites"]["tiny"] |= DECIDED | {"tasks": tasks}
    path.write_text(json.dumps(document))
    asked.run(tmp_path, "base")
    summary = asked.run(tmp_path, "other")
    assert [(task.task, task.documents) for task in summary.tasks] == [("two", 32)]
    assert stops(tmp_path).keys() == {"", "two"}, "the test of a question that was never looked at stays"


@pytest.mark.parametrize("graded", [False, True])
def test_an_interrupted_width_is_not_known_yet(tmp_path: Path, graded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.save(tmp_path, {"one": 200}, {}, MODELS)
    path = tmp_path / "catalogue.yml"
    document = json.loads(path.read_text())
    document["suites"]["tiny"]["tasks"][0]["until"] = "±3 points"
    path.write_text(json.dumps(document))
    if graded:
        (tmp_path / "tasks" / "graded.py").write_text("def score(doc, results):\n    return {'acc': 0.75}\n")
        tiny.use_function(tmp_path / "tasks", "one", "process_results", "graded.score")
    with _interrupted_after(monkeypatch, chunks=2), pytest.raises(Interrupted):
        asked.run(tmp_path, "other")
    stop = stops(tmp_path)["one"]
    assert (stop.stop_reason, stop.low is None) == ("budget", graded)
    assert finding(stop) == "not known yet to ±3 points, 64 of 200 documents asked"


def test_an_interrupted_completion_keeps_what_was_shown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.run(place, "other")
    with _interrupted_after(monkeypatch, chunks=2), pytest.raises(Interrupted):
        asked.run(place, "other", complete=True)
    assert (stops(place)[""].stop_reason, stops(place)[""].verdict) == ("budget", "worse")


def test_an_energy_has_no_document_twice(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _interrupted_after(monkeypatch, chunks=2), pytest.raises(Interrupted):
        asked.run(place, "same")  # 32 and 45, a suite's looks
    path = place / "catalogue.yml"
    document = json.loads(path.read_text())
    del document["suites"]["tiny"]["until"]
    document["suites"]["tiny"]["tasks"][0]["until"] = "decided"
    path.write_text(json.dumps(document))
    with _interrupted_after(monkeypatch, chunks=2), pytest.raises(Interrupted):
        asked.run(place, "same", force=True)  # 32 and 40, a task's
    summary = evaluate(asked.spec(place, "same", complete=True), meter=ReplayMeter([READING] * 40))
    (row,) = [
        row
        for row in tiny.rows(place, TaskEmission.table)
        if row["run_id"] == summary.run_id and row["is_sum_of_parts"] and row["phase"] == "inference"
    ]
    assert (row["energy_kwh"], row["quality_flags"]) == (None, "mixed_conditions")


def _looks(stop: Stop) -> list[dict[str, dict[str, int]]]:
    return list(json.loads(stop.looks_json))


def _change(place: Path, **values: Any) -> None:
    """Of the suite, or of the settings."""
    path = place / "catalogue.yml"
    document = json.loads(path.read_text())
    for name, value in values.items():
        section = document["settings"] if name == "machine_id" else document["suites"]["tiny"]
        section[name] = value
    path.write_text(json.dumps(document))


@contextmanager
def _interrupted_after(monkeypatch: pytest.MonkeyPatch, chunks: int) -> Iterator[None]:
    """A run inside ends, as after a signal, before it asks a further chunk."""
    land, landed = bundles.write_bundle, []

    def write(landing: Path, run_id: str, name: str, rows: Any) -> Path:
        path = land(landing, run_id, name, rows)
        landed.extend([name] * name.startswith("part-"))
        return path

    ask: Callable[..., None] = Asking.ask

    def asking(self: Asking, places: Any) -> None:
        if len(landed) >= chunks:
            raise Interrupted("stopped by SIGTERM")
        ask(self, places)

    with monkeypatch.context() as patched:
        patched.setattr(bundles, "write_bundle", write)
        patched.setattr(Asking, "ask", asking)
        yield
