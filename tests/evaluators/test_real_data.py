"""The leaderboard's real tasks on real data, by naming a folder and a group in a catalogue's suite, without code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluators import engines
from evaluators.catalogue.entries import load
from evaluators.harness.asking import Asking, document_hashes, run_task
from evaluators.harness.lm_eval_tasks import Harness
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from tests.support import tiny

DATA = Path(os.environ.get("EVALWATT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")).resolve()

pytestmark = pytest.mark.skipif(
    not (DATA / "make_tasks.py").exists(),
    reason=f"no benchmark data in {DATA}; name its folder in EVALWATT_TEST_DATA",
)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real data")
    subprocess.run(
        [sys.executable, str(DATA / "make_tasks.py"), str(folder / "tasks")], check=True, capture_output=True
    )
    tasks = [
        {"task": "local_leaderboard_bbh", "primary": "acc_norm"},
        {"task": "local_gsm8k", "primary": "exact_match,flexible-extract", "num_fewshot": 1, "limit": 1},
        {"task": "local_arc_easy", "limit": 3},
    ]
    entry = tiny.model_entry("stories260k", str(DATA / "models" / "stories260k"))
    tiny.save_catalogue(folder, tasks=tasks, models=[entry], meter="none")
    return folder


def test_a_group_of_real_tasks_is_evaluated(workplace: Path) -> None:
    catalogue = load(workplace / "catalogue.yml")
    suite = catalogue.suite("tiny").model_copy(update={"limit": 2})
    spec = make_spec(catalogue, plan(catalogue, workplace / "home")[0], workplace / "home")
    summary = evaluate(spec.model_copy(update={"suite": suite}))
    assert summary.status == "completed", summary.failures
    bbh = [task for task in summary.tasks if task.task.startswith("local_leaderboard_bbh_")]
    assert len(bbh) == len(list((DATA / "benchmarks" / "bbh").glob("*.jsonl")))
    assert all(task.documents == 2 and task.tokens_prompt > 0 for task in bbh)
    (gsm8k,) = [task for task in summary.tasks if task.task == "local_gsm8k"]
    assert gsm8k.tokens_generated > 0


def test_a_groups_weight_is_shared_and_chance_follows_the_choices(workplace: Path) -> None:
    catalogue = load(workplace / "catalogue.yml")
    tasks, failures = Harness(catalogue.suite("tiny"), workplace, workplace / "nltk").load(model_uses_template=False)
    assert failures == {}
    bbh = {task.name: task for task in tasks if "_bbh_" in task.name}
    assert sum(task.weight for task in bbh.values()) == pytest.approx(1)
    assert bbh["local_leaderboard_bbh_boolean_expressions"].chance == pytest.approx(1 / 2)
    assert bbh["local_leaderboard_bbh_geometric_shapes"].chance == pytest.approx(1 / 11)


def test_ifeval_loads_and_splits_sentences_without_a_download(workplace: Path, tmp_path: Path) -> None:
    tiny.save_catalogue(
        tmp_path,
        tasks=[{"task": "local_leaderboard_ifeval", "primary": "prompt_level_strict_acc"}],
        models=[tiny.model_entry("any", "model")],
    )
    (tmp_path / "tasks").symlink_to(workplace / "tasks")
    tasks, failures = Harness(load(tmp_path / "catalogue.yml").suite("tiny"), tmp_path, tmp_path / "nltk").load(
        model_uses_template=False
    )
    assert failures == {}
    assert tasks[0].chance == 0
    import nltk

    assert nltk.sent_tokenize("Dr. Smith went home. He was tired.") == ["Dr. Smith went home.", "He was tired."]


REAL_TASKS = [
    {"task": "local_gsm8k", "limit": 5},
    {"task": "local_leaderboard_ifeval", "primary": "prompt_level_strict_acc", "limit": 3},
    {"task": "local_leaderboard_math_geometry_hard", "limit": 4},
    {"task": "local_leaderboard_mmlu_pro", "limit": 5},
    {"task": "local_leaderboard_bbh_navigate", "limit": 5},
]


def test_real_tasks_asked_in_chunks_are_those_asked_at_once(workplace: Path, tmp_path: Path) -> None:
    """With their own examples, filters and scoring; answers are cut short."""
    tiny.save_catalogue(tmp_path, tasks=list(REAL_TASKS), models=[tiny.model_entry("any", "model")])
    (tmp_path / "tasks").symlink_to(workplace / "tasks")
    suite = load(tmp_path / "catalogue.yml").suite("tiny")
    tasks, failures = Harness(suite, tmp_path, tmp_path / "nltk").load(model_uses_template=False)
    assert failures == {}
    lm = engines.load("transformers", DATA / "models" / "stories260k", dtype="float32", device="cpu", batch_size=1).lm
    for task in tasks:
        if (limits := task.task.config.generation_kwargs) is not None:
            limits["max_gen_toks"] = 24
        whole = run_task(task, lm, lm, 1234)
        asking = Asking(task, lm, lm, 1234)
        for chunk in ([2], [0, 1], asking.places[3:]):
            asking.ask(chunk)
        assert asking.outcome() == whole
        assert document_hashes(task) == [d.document_hash for d in whole.documents]
