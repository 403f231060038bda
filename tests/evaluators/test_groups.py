"""Groups of tasks: a suite's score of one is lm-eval's own, and a task that two entries name is an error."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager

from evaluators.catalogue.entries import load
from evaluators.harness.lm_eval_tasks import Harness, LoadedTask, TaskUnavailable
from evaluators.landing import bundles
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from tests.support import tiny

SIZES = {"small": 2, "middle": 4, "large": 10}
SCORES = {"small": 1.0, "middle": 0.5, "large": 0.1}
BY_SIZE = {"metric": "acc", "aggregation": "mean"}  # weight_by_size: true is lm-eval's default
EVENLY = BY_SIZE | {"weight_by_size": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, documents in SIZES.items():
        tiny.save_tasks(tmp_path / "tasks", (name,), documents)
    return tmp_path


def save_group(folder: Path, name: str, members: list[object], *aggregation: dict[str, object]) -> None:
    group: dict[str, object] = {"group": name, "task": members}
    if aggregation:
        group["aggregate_metric_list"] = list(aggregation)
    (folder / "tasks" / f"{name}.yaml").write_text(json.dumps(group))


def harness(folder: Path, tasks: list[object], **suite: object) -> Harness:
    tiny.save_catalogue(folder, tasks=tasks, models=[tiny.model_entry("any", "model")])
    document = json.loads((folder / "catalogue.yml").read_text())
    document["suites"]["tiny"] |= suite
    (folder / "catalogue.yml").write_text(json.dumps(document))
    return Harness(load(folder / "catalogue.yml").suite("tiny"), folder, folder / "nltk")


def loaded(folder: Path, tasks: list[object], **suite: object) -> dict[str, LoadedTask]:
    found, failures = harness(folder, tasks, **suite).load(model_uses_template=False)
    assert failures == {}
    return {task.name: task for task in found}


def weights(folder: Path, tasks: list[object], **suite: object) -> dict[str, float]:
    return {name: task.weight for name, task in loaded(folder, tasks, **suite).items()}


def lm_evals_score(folder: Path, group: str, sizes: dict[str, int] = SIZES) -> float:
    """What lm-eval makes of the tasks' scores."""
    found = TaskManager(include_path=str(folder / "tasks"), include_defaults=False).load([group])["groups"][group]
    return float(
        found.aggregate({name: {"acc,none": SCORES[name], "sample_len": sizes[name]} for name in SIZES})["acc,none"]  # type: ignore[typeddict-item]
    )


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ([BY_SIZE], []),
        ([EVENLY], []),
        ([BY_SIZE], [EVENLY]),
        ([EVENLY], [BY_SIZE]),
        ([{"metric": "acc_norm"}, BY_SIZE], [EVENLY]),
        ([BY_SIZE | {"filter_list": "none"}], []),
    ],
)
def test_the_score_of_a_group_is_what_lm_eval_makes_of_its_tasks(
    folder: Path, outer: list[dict[str, object]], inner: list[dict[str, object]]
) -> None:
    save_group(folder, "inside", ["middle", "large"], *inner)
    save_group(folder, "shop", ["small", "inside"], *outer)
    found = weights(folder, [{"task": "shop", "weight": 3}])
    assert sum(found.values()) == pytest.approx(3)
    assert sum(found[name] * SCORES[name] for name in SIZES) / 3 == pytest.approx(lm_evals_score(folder, "shop"))


def test_a_limit_counts_the_documents_that_are_asked(folder: Path) -> None:
    save_group(folder, "shop", list(SIZES), BY_SIZE)
    found = weights(folder, ["shop"], limit=3)
    assert found == pytest.approx({"small": 2 / 8, "middle": 3 / 8, "large": 3 / 8})
    score = sum(found[name] * SCORES[name] for name in SIZES)
    assert score == pytest.approx(lm_evals_score(folder, "shop", {"small": 2, "middle": 3, "large": 3}))


def test_what_lm_eval_does_not_aggregate_is_shared_evenly_by_its_members(folder: Path) -> None:
    save_group(folder, "inside", ["middle", "large"], BY_SIZE)
    save_group(folder, "shop", ["small", "inside"])
    half = 1 / 2
    assert weights(folder, ["shop"]) == {"small": half, "middle": half * 4 / 14, "large": half * 10 / 14}
    # lm-eval aggregates another metric than the one that is the tasks' score
    save_group(folder, "shop", list(SIZES), {"metric": "acc_norm"})
    assert weights(folder, ["shop"]) == {name: float(Fraction(1, 3)) for name in SIZES}


def test_a_tag_is_shared_evenly(folder: Path) -> None:
    for name in SIZES:
        path = folder / "tasks" / f"{name}.yaml"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"tag": "shopping"}))
    assert weights(folder, [{"task": "shopping", "weight": 2}]) == dict.fromkeys(SIZES, 2 / 3)


def test_a_suite_may_say_how_a_groups_tasks_share_its_weight(folder: Path) -> None:
    save_group(folder, "shop", list(SIZES), BY_SIZE)
    assert weights(folder, [{"task": "shop", "members": "evenly"}]) == dict.fromkeys(SIZES, 1 / 3)
    save_group(folder, "shop", list(SIZES))
    assert weights(folder, [{"task": "shop", "members": "by_size"}]) == {n: size / 16 for n, size in SIZES.items()}


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (["shop", "large"], "the task large is listed twice, by the group shop and by its own name"),
        (["large", "shop"], "the task large is listed twice, by its own name and by the group shop"),
        (["shop", "other"], "the task large is listed twice, by the group shop and by the group other"),
        (["outer", "large"], "the task large is listed twice, by the group outer and by its own name"),
    ],
)
def test_a_task_that_two_entries_name_is_an_error(folder: Path, tasks: list[object], words: str) -> None:
    save_group(folder, "shop", ["small", "large"], BY_SIZE)
    save_group(folder, "other", ["middle", "large"])
    save_group(folder, "outer", ["middle", {"group": "here", "task": ["large"]}])
    suite = harness(folder, tasks)
    assert [found.partition(";")[0] for found in suite.named_twice()] == [words]  # for doctor, which loads no task
    with pytest.raises(TaskUnavailable, match=words):
        suite.load(model_uses_template=False)


def test_a_group_without_an_overlap_is_none(folder: Path) -> None:
    save_group(folder, "shop", ["small", "large"], BY_SIZE)
    assert harness(folder, ["shop", "middle"]).named_twice() == []


def test_weights_from_before_groups_were_aggregated_are_landed_again_and_nothing_is_asked(folder: Path) -> None:
    tiny.save_model(folder / "model")
    save_group(folder, "shop", ["small", "large"], BY_SIZE)
    tiny.save_catalogue(folder, tasks=["shop", "middle"], models=[tiny.model_entry("tiny-base", "model")])
    catalogue, home = load(folder / "catalogue.yml"), folder / "home"
    first = evaluate(make_spec(catalogue, plan(catalogue, home)[0], home))
    assert first.status == "completed"
    (planned,) = plan(catalogue, home)
    assert not planned.due

    path = home / "landing" / first.run_id / bundles.TASKS_FILE
    new = json.loads(path.read_text())
    path.write_text(json.dumps({name: {"evaluation": task["evaluation"], "weight": 0.5} for name, task in new.items()}))
    (planned,) = plan(catalogue, home)
    assert planned.due
    assert "no task is evaluated again" in planned.reason
    assert (planned.expected_duration_s, planned.expected_energy_kwh) == (0, 0)
    second = evaluate(make_spec(catalogue, planned, home))
    assert (second.status, second.tasks, set(second.reused)) == ("completed", (), {"small", "middle", "large"})
    assert json.loads((home / "landing" / second.run_id / bundles.TASKS_FILE).read_text()) == new
    assert not plan(catalogue, home)[0].due
