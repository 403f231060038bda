"""The vllm engine, as far as it can be tested without a GPU: what it refuses, and how it calls lm-eval's backend."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evaluators import engines
from evaluators.catalogue.entries import load
from evaluators.engines import Engine, EngineFailed, TokenCounts
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from tests.support import tiny


def open_model(folder: Path, device: str = "cuda:0") -> Engine:
    return engines.load("vllm", folder, dtype="float32", device=device, batch_size=4)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A stand-in for lm-eval's backend: what it was asked for. It cannot load a folder called `broken`."""
    arguments: dict[str, Any] = {}

    class VLLM:
        def __init__(self, **given: Any) -> None:
            arguments.update(given)
            if given["pretrained"].endswith("broken"):
                raise ValueError("No supported config format found\nmore")

    module = ModuleType("lm_eval.models.vllm_causallms")
    module.VLLM = VLLM  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("evaluators.engines.vllm.version", lambda package: f"{package}'s")
    return arguments


def test_without_a_cuda_device_the_run_fails_with_the_remedy(tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "model")
    tiny.save_tasks(tmp_path / "tasks")
    entry = tiny.model_entry("tiny-base", "model", engine="vllm")
    catalogue = load(tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=[entry], device="cpu"))
    summary = evaluate(make_spec(catalogue, plan(catalogue, tmp_path / "home")[0], tmp_path / "home"))
    assert summary.status == "failed"
    assert "CUDA device, but the evaluation runs on cpu" in str(summary.reason)
    assert "engine: shared-prefix" in str(summary.reason)


def test_a_second_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="CUDA_VISIBLE_DEVICES"):
        open_model(tmp_path, "cuda:1")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_the_package_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match=r"cannot be imported \(No module named 'vllm'\); install it with `pip"):
        open_model(tmp_path)


def test_it_is_lm_evals_backend_with_prefix_caching(tmp_path: Path, asked: dict[str, Any]) -> None:
    folder = tiny.save_model(tmp_path / "model")
    engine = open_model(folder)
    assert asked == {
        "pretrained": str(folder),
        "dtype": "float32",
        "trust_remote_code": False,
        "enable_prefix_caching": True,
    }
    reference = engines.load("transformers", folder, dtype="float32", device="cpu", batch_size=4)
    assert (engine.architecture, engine.params_b) == (reference.architecture, reference.params_b)
    assert "vllm vllm's" in engine.version
    assert engine.counted() == TokenCounts()


def test_a_model_that_it_cannot_load_is_one_sentence(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(EngineFailed, match=r"^vLLM cannot load broken: No supported config format found$"):
        open_model(tmp_path / "broken")
