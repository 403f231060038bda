"""What a plan makes of evaluations that were stopped before everything was asked: due or not, why, what it expects."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evaluators.catalogue.entries import Catalogue, load
from evaluators.landing import bundles, lifecycle
from evaluators.landing.decisions import exclude
from evaluators.plan import PlannedRun, in_order, make_spec, plan
from evaluators.plan_keys import PlanKeys
from evaluators.records import TaskResult
from evaluators.spec import RunSpec
from evaluators.summary import RunSummary, TaskSummary
from tests.support import tiny
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import InParts, into_parts, land_stop

TASKS = ("tiny_one", "tiny_two")
DOCUMENTS = 60
DECIDED = {"until": "decided", "compare_with": "anchor"}


@dataclasses.dataclass
class Workplace:
    folder: Path
    lineage: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)  # fields of entries

    @property
    def landing(self) -> Path:
        return self.folder / "home" / "landing"

    def catalogue(self, *tasks: object, settings: dict[str, object] | None = None, **suite: object) -> Catalogue:
        """Three models that are asked the suite; `suite`: more of its fields."""
        models = [tiny.model_entry(name, name, **self.lineage.get(name, {})) for name in ("other", "third", "anchor")]
        path = tiny.save_catalogue(self.folder, tasks=list(tasks or TASKS), models=models, **(settings or {}))
        document = json.loads(path.read_text())
        document["suites"]["tiny"] |= suite
        path.write_text(json.dumps(document))
        return load(path)

    def evaluate(self, model: str, hours: int) -> None:
        """Land a run as its evaluator leaves it: complete, under the plan key that the model's files give it now."""
        catalogue = self.catalogue()
        key = PlanKeys(catalogue).of(catalogue.model(model), catalogue.suite("tiny"))
        outcomes = [TaskOutcome(task, [True, False] * (DOCUMENTS // 2), 1000.0) for task in TASKS]
        run = BuiltRun(
            self.landing,
            model,
            outcomes,
            suite="tiny",
            at=START + timedelta(hours=hours),
            revision=key,
            setting={"plan_key": key},
        )
        run_id = run.land()
        folder = self.landing / run_id
        (folder / bundles.RUN_FILE).write_text(lifecycle._as_json(run.end_row(run_id)))
        (folder / bundles.TASKS_FILE).write_text(json.dumps({task: run.plan_of(task) for task in TASKS}))
        tasks = tuple(TaskSummary(task, "acc", 0.5, None, DOCUMENTS, 100.0, 1e-3, "measured", 600, 0) for task in TASKS)
        summary = RunSummary(run_id, model, "tiny", "completed", None, 220.0, 3e-3, tasks, (), {})
        (folder / bundles.SUMMARY_FILE).write_text(json.dumps(dataclasses.asdict(summary)))

    def change(self, model: str) -> None:
        (self.folder / model / "config.json").write_text('{"changed": true}')

    def plan(self, catalogue: Catalogue, model: str = "other", **options: Any) -> PlannedRun:
        return next(run for run in plan(catalogue, self.folder / "home", **options) if run.model == model)

    def run_of(self, model: str) -> str:
        """The model's newest run."""
        starts = [json.loads(path.read_text()) for path in sorted(self.landing.glob("*/run.json"))]
        return [str(start["run_id"]) for start in starts if start["model_id"] == model][-1]

    def evaluations(self, model: str) -> dict[str, tuple[str, str]]:
        """A model's complete evaluations by task: bundle and run."""
        found, run_id = {}, self.run_of(model)
        for bundle in bundles.bundles(self.landing, run_id):
            if bundles.is_task_bundle(bundle.name):
                found[bundles.rows(bundle, TaskResult)[0].task] = (bundle.name, run_id)
        return found

    def into_parts(self, *ends: int, tasks: tuple[str, ...] = TASKS) -> list[InParts]:
        return [into_parts(self.landing, self.run_of("other"), task, ends) for task in tasks]

    def stop(self, parts: list[InParts], **changes: Any) -> None:
        """The stop of the suite as a whole, against `anchor`."""
        values: dict[str, Any] = {"compare_with": "anchor", "reference_model_id": "anchor"} | changes
        reference = values.pop("reference", None) or self.evaluations("anchor")
        weights = values.pop("weights", {part.task: 1.0 for part in parts})
        land_stop(self.landing, self.run_of("other"), parts, weights, reference, **values)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """`other` and `anchor` are evaluated completely, `third` is not."""
    for name in ("other", "third", "anchor"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    tiny.save_tasks(tmp_path / "tasks", TASKS, documents=DOCUMENTS)
    workplace = Workplace(tmp_path)
    workplace.evaluate("anchor", 0)
    workplace.evaluate("other", 1)
    return workplace


def test_what_is_complete_is_not_due_whatever_until_says(workplace: Workplace) -> None:
    before = workplace.plan(workplace.catalogue())
    assert not before.due
    after = workplace.plan(workplace.catalogue(**DECIDED))
    assert (after.due, after.plan_key, after.reason) == (False, before.plan_key, before.reason)


def test_a_suite_that_is_decided_is_not_due(workplace: Workplace) -> None:
    workplace.stop(workplace.into_parts(32, 40))
    run = workplace.plan(workplace.catalogue(**DECIDED))
    assert (run.due, run.tasks_done, run.tasks_total) == (False, 2, 2)
    at = bundles.run_time(workplace.run_of("other"))
    assert run.reason == (
        f"worse than anchor, 80 of 120 documents asked by {at:%Y-%m-%d %H:%M} UTC; nothing has changed since"
    )
    assert not workplace.plan(workplace.catalogue(**DECIDED, margin=3)).due, "a larger margin asks for less"


@pytest.mark.parametrize(
    ("suite", "options", "words"),
    [
        ({**DECIDED, "margin": 1}, {}, "decided within 2 points, now within 1; asked until it is"),
        ({}, {}, "2 of 2 tasks (tiny_one, tiny_two) are asked in part, 80 of 120 documents"),
        (DECIDED, {"complete": True}, "2 of 2 tasks (tiny_one, tiny_two) are asked in part, 80 of 120 documents"),
        ({"until": "decided", "compare_with": "third"}, {}, "is not enough: it was compared with anchor; asked until"),
    ],
)
def test_a_stricter_question_is_due(
    workplace: Workplace, suite: dict[str, object], options: dict[str, bool], words: str
) -> None:
    workplace.stop(workplace.into_parts(32, 40))
    run = workplace.plan(workplace.catalogue(**suite), **options)
    assert run.due
    assert words in run.reason
    assert ("asked until" in run.reason) == ("asked until" in words), "what is asked in full does not speak of until"


def test_what_was_interrupted_is_due_for_the_rest(workplace: Workplace) -> None:
    parts = workplace.into_parts(32)
    run = workplace.plan(workplace.catalogue(**DECIDED))
    assert run.due, "killed: there is no stop"
    assert "2 of 2 tasks (tiny_one, tiny_two) are asked in part, 64 of 120 documents; asked until it is" in run.reason
    workplace.stop(parts, stop_reason="budget", verdict=None)
    run = workplace.plan(workplace.catalogue(**DECIDED))
    assert run.due
    assert "is not enough: it was interrupted; asked until it is decided against anchor, within 2 points" in run.reason


def test_a_task_that_is_missing_is_named_beside_those_asked_in_part(workplace: Workplace) -> None:
    workplace.into_parts(32, tasks=("tiny_one",))
    evaluation, run_id = workplace.evaluations("other")["tiny_two"]
    shutil.rmtree(workplace.landing / run_id / evaluation)
    words = "1 of 2 tasks are missing or excluded (tiny_two) and 1 of 2 tasks (tiny_one) are asked in part, 32 of 60"
    assert words in workplace.plan(workplace.catalogue()).reason


def test_giving_up_is_an_answer(workplace: Workplace) -> None:
    workplace.stop(workplace.into_parts(32), stop_reason="given_up", verdict="no_difference_shown", claim_chance=0.04)
    run = workplace.plan(workplace.catalogue(**DECIDED))
    assert not run.due
    assert (
        "no difference from anchor shown, 64 of 120 documents asked, and the rest would show one with a" in run.reason
    )


@pytest.mark.parametrize("model", ["other", "anchor"])
def test_answers_that_do_not_count_any_more_answer_nothing(workplace: Workplace, model: str) -> None:
    workplace.stop(workplace.into_parts(32))
    exclude(workplace.landing, workplace.run_of(model), "the fan failed", "ann")
    assert workplace.plan(workplace.catalogue(**DECIDED)).due


def test_a_stop_that_rests_on_an_excluded_part_is_not_enough(workplace: Workplace) -> None:
    parts = workplace.into_parts(32, 40)
    workplace.stop(parts)
    shutil.rmtree(workplace.landing / workplace.run_of("other") / bundles.part_bundle(parts[0].evaluation, 32, 39))
    run = workplace.plan(workplace.catalogue(**DECIDED))
    assert run.due
    assert "is not enough: some of its answers do not count any more" in run.reason


def test_another_version_of_the_reference_is_another_question(workplace: Workplace) -> None:
    workplace.stop(workplace.into_parts(32))
    workplace.change("anchor")
    catalogue = workplace.catalogue(**DECIDED)
    run = workplace.plan(catalogue)
    assert run.due
    assert "is not enough: anchor has changed since" in run.reason
    assert "asked until it is decided against anchor, which is evaluated before, within 2 points" in run.reason
    assert workplace.plan(catalogue, models=["other"]).reason.endswith(
        "; asked in full: anchor is not evaluated completely"
    )


def test_other_weights_are_another_question(workplace: Workplace) -> None:
    weights = {"tiny_one": 1.0, "tiny_two": 2.0}
    workplace.stop(workplace.into_parts(32), weights=weights)
    assert workplace.plan(workplace.catalogue(**DECIDED)).due
    path = workplace.landing / workplace.run_of("other") / bundles.TASKS_FILE
    tasks = json.loads(path.read_text())
    path.write_text(json.dumps({task: planned | {"weight": weights[task]} for task, planned in tasks.items()}))
    assert not workplace.plan(workplace.catalogue(**DECIDED)).due


def test_tasks_by_themselves(workplace: Workplace) -> None:
    (part,) = workplace.into_parts(40, tasks=("tiny_one",))
    workplace.stop([part], weights=None)
    of_task = {"task": "tiny_one", "until": "decided"}
    run = workplace.plan(workplace.catalogue(of_task, "tiny_two", compare_with="anchor"))
    assert not run.due
    assert run.reason.startswith("tiny_one: worse than anchor, 40 of 60 documents asked by ")
    assert workplace.plan(workplace.catalogue(**DECIDED)).due, "a task's stop says nothing about its suite"
    wide = {"task": "tiny_one", "until": "±5 points"}
    run = workplace.plan(workplace.catalogue(wide, "tiny_two"))
    assert run.due
    assert (
        "is not enough: it was asked until it was decided within 2 points; asked until each score is known to ±5"
        in (run.reason)
    )


@pytest.mark.parametrize(("points", "due"), [(5.0, False), (8.0, False), (4.0, True)])
def test_a_width(workplace: Workplace, points: float, due: bool) -> None:
    (part,) = workplace.into_parts(50, tasks=("tiny_two",))
    width = {"until": "width", "width_points": 5.0, "margin_points": None, "stop_reason": "width", "verdict": None}
    none: dict[str, Any] = {"compare_with": None, "reference_model_id": None, "reference": {}}
    land_stop(workplace.landing, workplace.run_of("other"), [part], **width, **none)
    run = workplace.plan(workplace.catalogue("tiny_one", {"task": "tiny_two", "until": f"±{points:g} points"}))
    assert run.due == due
    words = "known to ±5 points, now to ±4" if due else "tiny_two: known to ±5 points, 50 of 60 documents asked"
    assert words in run.reason


def test_the_same_model_before_a_change_is_the_last(workplace: Workplace) -> None:
    earlier = workplace.evaluations("other")
    suite = {"until": "decided", "compare_with": "last"}
    assert workplace.plan(workplace.catalogue(**suite), "third").reason.endswith(
        "asked in full: third is not evaluated completely"
    )
    workplace.change("other")
    catalogue = workplace.catalogue(**suite)
    run = workplace.plan(catalogue)
    assert run.due
    assert run.reference is not None
    assert run.reference.evaluations == {task: evaluation for task, (evaluation, _) in earlier.items()}
    workplace.evaluate("other", 2)
    assert workplace.plan(catalogue, force=True).reference == run.reference, "also once this version is complete"
    parts = workplace.into_parts(32)
    workplace.stop(parts, compare_with="last", reference_model_id="other", reference=earlier)
    assert not workplace.plan(catalogue).due


def test_what_is_expected_with_and_without_until(workplace: Workplace) -> None:
    full = workplace.plan(workplace.catalogue(), force=True)
    run = workplace.plan(workplace.catalogue(**DECIDED), force=True, models=["other"])
    assert full.expected_duration_s == full.at_most_duration_s == run.at_most_duration_s == pytest.approx(220)
    sentence = "requested; asked until it is decided against anchor, within 2 points: "
    shares = r"(\d+) to (\d+) % of the documents on average; all take 3 min 40 s and 0.003 kWh"
    found = re.fullmatch(sentence + shares, run.reason)
    assert found is not None, run.reason
    least, most = map(int, found.groups())
    assert 50 < least < most < 90, "120 documents together: between 34, which are asked at once, and 200"
    assert run.expected_duration_s == pytest.approx(20 + 2 * most, abs=1.1)
    assert run.expected_energy_kwh == pytest.approx(1e-3 + 2e-5 * most, abs=1.1e-5)
    alone = workplace.plan(workplace.catalogue(**DECIDED), "anchor", force=True)
    assert alone.reason == "requested; asked in full: the others are compared with it"
    assert alone.expected_duration_s == alone.at_most_duration_s


def test_nothing_is_compared_with_what_is_itself_asked_in_part(workplace: Workplace) -> None:
    for model, base in (("other", "anchor"), ("third", "other")):
        workplace.lineage[model] = {"kind": "fine_tuned", "base_model": base}
    planned = plan(workplace.catalogue(until="decided"), workplace.folder / "home", force=True)
    reasons = {run.model: run.reason.removeprefix("requested; ") for run in planned}
    assert reasons["anchor"] == "asked in full: it has no base"
    assert reasons["other"].startswith("asked until it is decided against anchor, which is evaluated before, within 2")
    assert reasons["third"] == "asked in full: other is not evaluated completely"


def test_what_is_left_is_expected_and_a_part_is_scaled_up(workplace: Workplace) -> None:
    workplace.into_parts(30)
    run = workplace.plan(workplace.catalogue())
    assert run.expected_duration_s == run.at_most_duration_s == pytest.approx(20 + 2 * 50)
    path = workplace.landing / workplace.run_of("other") / bundles.SUMMARY_FILE
    summary = json.loads(path.read_text())
    for task in summary["tasks"]:
        task |= {"documents": 30, "documents_total": 60, "duration_s": 50.0}
    path.write_text(json.dumps(summary | {"duration_s": 120.0}))
    assert workplace.plan(workplace.catalogue(), force=True).expected_duration_s == pytest.approx(220)


def test_the_evaluator_is_told_what_is_compared_with(workplace: Workplace) -> None:
    home = workplace.folder / "home"
    anchor = {task: evaluation for task, (evaluation, _) in workplace.evaluations("anchor").items()}
    control: dict[str, object] = {"control": {"model": "other", "suite": "tiny"}}
    catalogue = workplace.catalogue(settings=control, **DECIDED)
    spec = make_spec(catalogue, workplace.plan(catalogue, force=True), home, complete=True)
    assert spec.reference is not None
    assert (spec.reference.model, spec.reference.evaluations, spec.complete) == ("anchor", anchor, True)
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec
    spec = make_spec(catalogue, workplace.plan(catalogue, control=True), home)
    assert (spec.is_control, spec.complete, spec.reference) == (True, True, None), "the same every night"


def test_a_reference_comes_before_what_is_compared_with_it(workplace: Workplace) -> None:
    nights = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(12)]
    names = ["other", "third", "anchor"]
    plain, decided = workplace.catalogue(), workplace.catalogue(**DECIDED)
    firsts = {in_order(names, plain, night)[0][0] for night in nights}
    assert len(firsts) > 1
    orders = [in_order(names, decided, night)[0] for night in nights]
    assert {order[0] for order in orders} == {"anchor"}
    assert len({order[1] for order in orders}) == 2, "the others are still shuffled"
    planned = plan(decided, workplace.folder / "home")
    assert [run.model for run in planned] == ["other", "third", "anchor"], "the plan keeps the catalogue's order"
