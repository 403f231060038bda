"""24. A model without tokenizer, with a broken config, with pickled weights: failed row with its reason.

No pickle is loaded, and no code that lies beside a model, or comes from the hub, is run.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluators.catalogue.entries import CatalogueError, load
from evaluators.plan import plan
from tests.support import tiny
from tests.support.evaluations import evaluate_all, rows, save_workplace

Damage = Callable[[Path], object]


class _Trap:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


def _set_trap(file: Path) -> None:
    file.write_bytes(pickle.dumps(_Trap(file.with_name("the pickle was loaded"))))


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    _set_trap(folder / "pytorch_model.bin")


def _pickled_shard(folder: Path) -> None:
    index = {"metadata": {}, "weight_map": {"model.embed_tokens.weight": "pytorch_model.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    _set_trap(folder / "pytorch_model.bin")


def _without_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def _broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0"')


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": ["LlamaFor')


def _other_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "no_such_architecture"}))


def _other_shapes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))


def _truncated(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_pickled, "only pickled weights, which can run code when loaded; save the model as safetensors"),
        (_pickled_shard, "lacks pytorch_model.bin"),
        (_without_tokenizer, "no tokenizer; save the tokenizer beside the weights"),
        (_broken_tokenizer, "no usable tokenizer in bad"),
        (_without_config, "no config.json; name a folder that transformers saved"),
        (_broken_config, "no usable tokenizer in bad"),
        (_other_config, "no_such_architecture"),
        (_other_shapes, "transformers cannot load bad"),
        (_truncated, "transformers cannot load bad"),
        (shutil.rmtree, "does not exist; correct its path"),
    ],
)
def test_it_is_a_failed_row_with_its_reason(tmp_path: Path, damage: Damage, reason: str) -> None:
    save_workplace(tmp_path, "tiny_one", models=("bad", "good"))
    damage(tmp_path / "bad")
    bad, good = evaluate_all(tmp_path)
    assert (bad.status, good.status) == ("failed", "completed")
    assert reason in str(bad.reason)
    landed = {row["model_id"]: row for row in rows(tmp_path, "evaluation_runs")}
    assert (landed["bad"]["status"], landed["bad"]["reason"]) == ("failed", bad.reason)
    assert {row["run_id"] for row in rows(tmp_path, "task_results")} == {good.run_id}
    assert not (tmp_path / "bad" / "the pickle was loaded").exists()
    due, done = plan(load(tmp_path / "catalogue.yml"), tmp_path / "data")
    assert (due.due, done.due) == (True, False)


def test_a_pickle_beside_the_weights_is_left_alone(tmp_path: Path) -> None:
    save_workplace(tmp_path, "tiny_one")
    _set_trap(tmp_path / "base" / "pytorch_model.bin")
    _set_trap(tmp_path / "base" / "training_args.bin")
    (summary,) = evaluate_all(tmp_path)
    assert summary.status == "completed"
    assert not (tmp_path / "base" / "the pickle was loaded").exists()


def _with_code(folder: Path) -> None:
    """As the hub's repositories bring their own code: named in the configuration, in a file beside it."""
    mark = folder / "the code was run"
    (folder / "own.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nclass Own: pass\n")
    kinds = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoTokenizer")
    for name in ("config.json", "tokenizer_config.json"):
        values = json.loads((folder / name).read_text())
        values["auto_map"] = {kind: "own.Own" if kind != "AutoTokenizer" else ["own.Own", None] for kind in kinds}
        values |= {"model_type": "own"} if name == "config.json" else {"tokenizer_class": "Own"}
        (folder / name).write_text(json.dumps(values))


def _as_it_is(folder: Path) -> None:
    del folder


def _as_base_of_an_adapter(folder: Path) -> None:
    adapter = folder.parent / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "x"}))
    (adapter / "adapter_model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    child = tiny.model_entry("child", "adapter", kind="adapter", base_model="base")
    catalogue = json.loads((folder.parent / "catalogue.yml").read_text())
    (folder.parent / "catalogue.yml").write_text(json.dumps(catalogue | {"models": [*catalogue["models"], child]}))


@pytest.mark.parametrize("use", [_as_it_is, _as_base_of_an_adapter])
@pytest.mark.parametrize("engine", ["shared-prefix", "transformers"])
def test_code_beside_a_model_is_not_run_even_where_somebody_says_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Damage, engine: str
) -> None:
    save_workplace(tmp_path, "tiny_one", engine=engine)
    use(tmp_path / "base")
    _with_code(tmp_path / "base")
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert {summary.status for summary in evaluate_all(tmp_path)} == {"failed"}
    assert not (tmp_path / "base" / "the code was run").exists()


@pytest.mark.parametrize("engine", ["shared-prefix", "transformers"])
def test_code_for_an_architecture_that_transformers_knows_is_left_alone(tmp_path: Path, engine: str) -> None:
    save_workplace(tmp_path, "tiny_one", engine=engine)
    config, tokenizer = tmp_path / "base" / "config.json", tmp_path / "base" / "tokenizer_config.json"
    model_type, own_tokenizer = json.loads(config.read_text())["model_type"], tokenizer.read_text()
    _with_code(tmp_path / "base")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": model_type}))
    tokenizer.write_text(own_tokenizer)
    (summary,) = evaluate_all(tmp_path)
    assert summary.status == "completed"
    assert not (tmp_path / "base" / "the code was run").exists()


@pytest.mark.parametrize("level", ["settings", "models", "suites"])
def test_the_catalogue_cannot_ask_for_code(tmp_path: Path, level: str) -> None:
    save_workplace(tmp_path, "tiny_one")
    document = json.loads((tmp_path / "catalogue.yml").read_text())
    place = {"settings": document["settings"], "models": document["models"][0], "suites": document["suites"]["tiny"]}
    place[level]["trust_remote_code"] = True
    (tmp_path / "catalogue.yml").write_text(json.dumps(document))
    with pytest.raises(CatalogueError, match="trust_remote_code: unknown key"):
        load(tmp_path / "catalogue.yml")


@pytest.mark.parametrize("metric", [{"metric": "somebody/own_metric"}, {"metric": "acc", "hf_evaluate": True}])
def test_a_metric_of_the_hub_is_not_fetched(tmp_path: Path, metric: dict[str, object]) -> None:
    save_workplace(tmp_path, "tiny_one", "tiny_two")
    path = tmp_path / "tasks" / "tiny_one.yaml"
    task = json.loads(path.read_text())
    task["metric_list"] = [metric | {"aggregation": "mean", "higher_is_better": True}]
    path.write_text(json.dumps(task))
    (summary,) = evaluate_all(tmp_path)
    assert set(summary.failures) == {"tiny_one"}
    assert "metrics from the hub are code and never run" in summary.failures["tiny_one"]
    assert [task.task for task in summary.tasks] == ["tiny_two"]
