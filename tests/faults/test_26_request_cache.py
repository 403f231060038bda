"""26. A request cache shared by two models: refused.

lm-eval's key omits the model, so B would get A's answers for 0 J.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM

from evaluators import engines
from evaluators.catalogue.entries import CatalogueError, load
from evaluators.energy import Ledger
from evaluators.energy.none import NoMeter
from evaluators.engines import EngineFailed
from evaluators.harness.interruption import Interruption
from evaluators.harness.metered import MeteredLM
from evaluators.spec import SpecError, read
from tests.support.evaluations import evaluate_all, rows, save_workplace, specs

KEYS = ("use_cache", "cache_requests")


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    return save_workplace(tmp_path, "tiny_one", models=("a", "b"))


def test_an_engine_with_one_is_refused(workplace: Path) -> None:
    def engine(name: str) -> engines.Engine:
        return engines.load("transformers", workplace / name, dtype="float32", device="cpu", batch_size=4)

    asked = [Instance("loglikelihood", {}, ("what colour is grass ?", " green"), 0)]
    a, b = engine("a"), engine("b")
    own = b.lm.loglikelihood(asked)
    cache = str(workplace / "cache.db")
    of_a = CachingLM(a.lm, cache).loglikelihood(asked)
    shared = CachingLM(b.lm, cache)
    assert shared.loglikelihood(asked) == of_a != own, "lm-eval's cache is not dangerous any more"

    with pytest.raises(EngineFailed, match="another model's answers would be landed at no energy"):
        MeteredLM(dataclasses.replace(b, lm=shared), Ledger(NoMeter()), Interruption(), lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("level", ["settings", "models", "suites", "tasks"])
def test_the_catalogue_cannot_ask_for_one(workplace: Path, level: str, key: str) -> None:
    document = json.loads((workplace / "catalogue.yml").read_text())
    suite = document["suites"]["tiny"]
    suite["tasks"] = [{"task": "tiny_one"}]
    models, tasks = document["models"][0], suite["tasks"][0]
    place = {"settings": document["settings"], "models": models, "suites": suite, "tasks": tasks}[level]
    place[key] = "shared"
    (workplace / "catalogue.yml").write_text(json.dumps(document))
    with pytest.raises(CatalogueError, match=f"{key}: unknown key"):
        load(workplace / "catalogue.yml")


@pytest.mark.parametrize("key", KEYS)
def test_a_spec_cannot_ask_for_one(workplace: Path, key: str) -> None:
    order = workplace / "spec.json"
    order.write_text(json.dumps(json.loads(specs(workplace)[0].model_dump_json()) | {key: "shared"}))
    with pytest.raises(SpecError, match=key):
        read(order)


def test_the_second_model_of_a_night_gives_its_own_answers(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(workplace / "cache"))
    evaluate_all(workplace)
    computed = [row["tokens_computed"] for row in rows(workplace, "task_emissions") if row["phase"] == "inference"]
    assert len(computed) == 2
    assert min(computed) > 0
    answers: dict[str, list[str]] = {}
    for row in rows(workplace, "samples"):
        answers.setdefault(row["run_id"], []).append(row["answer"])
    first, second = answers.values()
    assert first != second
    assert not (workplace / "cache").exists()
