"""lm-eval's own transformers backend, `hf`, as it is: the reference that every other engine is compared with."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from lm_eval.models.huggingface import HFLM

from evaluators.engines import Engine, EngineFailed


def load(path: Path, *, dtype: str, device: str, batch_size: int) -> Engine:
    """Load a local folder of safetensors. Code from the folder is never run."""
    try:
        lm = HFLM(
            pretrained=str(path),
            dtype=dtype,
            device=device,
            batch_size=batch_size,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineFailed(f"transformers cannot load {path.name}: {sentence}") from error
    model = lm.model
    model.eval()
    return Engine(
        name="transformers",
        version=f"lm-eval {version('lm-eval')}, transformers {version('transformers')}, torch {torch.__version__}",
        batch_policy=f"batch {batch_size}",
        lm=lm,
        synchronize=_synchronizer(device),
        architecture=model.config.architectures[0] if model.config.architectures else type(model).__name__,
        params_b=sum(p.numel() for p in model.parameters()) / 1e9,
    )


def _synchronizer(device: str) -> Callable[[], None]:
    if device.startswith("cuda"):
        return lambda: torch.cuda.synchronize(device)
    return lambda: None
