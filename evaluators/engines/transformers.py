"""lm-eval's own transformers backend, `hf`, as it is: the reference that every other engine is compared with."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from lm_eval.models.huggingface import HFLM
from safetensors import SafetensorError

from evaluators.engines import Engine, EngineFailed, TokenCounts
from evaluators.wording import sentence

NAME = "transformers"

LM = TypeVar("LM", bound=HFLM)


def load(path: Path, *, dtype: str, device: str, batch_size: int) -> Engine:
    """Load a local folder of safetensors. Code from the folder is never run."""
    return engine_of(open_model(HFLM, path, dtype=dtype, device=device, batch_size=batch_size), batch_size)


def engine_of(lm: HFLM, batch_size: int) -> Engine:
    """The engine of a model that answers as `hf` does."""
    return engine(lm, NAME, f"batch {batch_size}", forwarded(lm.model))


def open_model(kind: type[LM], path: Path, *, dtype: str, device: str, batch_size: int) -> LM:
    """lm-eval's model, or one derived from it. Raises EngineFailed."""
    try:
        lm = kind(
            pretrained=str(path),
            dtype=dtype,
            device=device,
            batch_size=batch_size,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, AssertionError, ImportError, SafetensorError) as error:
        raise EngineFailed(f"transformers cannot load {path.name}: {sentence(error)}") from error
    lm.model.eval()
    return lm


def engine(
    lm: HFLM, name: str, batch_policy: str, counted: Callable[[], TokenCounts], version_of_ours: int | None = None
) -> Engine:
    """The Engine of a model that transformers runs."""
    versions = [
        f"lm-eval {version('lm-eval')}",
        f"transformers {version('transformers')}",
        f"torch {torch.__version__}",
    ]
    if version_of_ours is not None:
        versions.insert(0, str(version_of_ours))
    model = lm.model
    return Engine(
        name=name,
        version=", ".join(versions),
        batch_policy=batch_policy,
        lm=lm,
        synchronize=_synchronizer(str(lm.device)),
        counted=counted,
        architecture=model.config.architectures[0] if model.config.architectures else type(model).__name__,
        params_b=sum(p.numel() for p in model.parameters()) / 1e9,
    )


def forwarded(model: torch.nn.Module) -> Callable[[], TokenCounts]:
    """Counts the tokens that go into the model, padding included, because lm-eval does not report padding."""
    computed = 0

    def count(_module: torch.nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal computed
        ids = named.get("input_ids", arguments[0] if arguments else None)
        computed += ids.numel() if ids is not None else 0

    def counted() -> TokenCounts:
        nonlocal computed
        so_far, computed = computed, 0
        return TokenCounts(computed=so_far)

    model.register_forward_pre_hook(count, with_kwargs=True)
    return counted


def _synchronizer(device: str) -> Callable[[], None]:
    if device.startswith("cuda"):
        return lambda: torch.cuda.synchronize(device)
    return lambda: None
