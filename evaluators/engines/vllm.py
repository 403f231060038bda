"""lm-eval's own `vllm` backend with prefix caching on, for a CUDA device. It has never been run or measured here.

vLLM schedules batches and manages its cache itself. For log-likelihoods it reads prompts in full, whatever is cached,
because it does not keep what it would need to answer them.
"""

from __future__ import annotations

import math
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoConfig

from evaluators.engines import Engine, EngineFailed, TokenCounts

NAME = "vllm"
_INSTEAD = "or choose `engine: shared-prefix`"


def load(path: Path, *, dtype: str, device: str) -> Engine:
    """Load a local folder of safetensors. Raises EngineFailed, also where vLLM or its device is missing."""
    if device != "cuda:0":
        raise EngineFailed(
            f"engine vllm uses the first visible CUDA device, but the evaluation runs on {device}; "
            f"make that device the first with CUDA_VISIBLE_DEVICES, {_INSTEAD}"
        )
    try:
        from lm_eval.models.vllm_causallms import VLLM
    except ImportError as error:
        raise EngineFailed(
            f"engine vllm cannot be imported ({error}); install it with `pip install 'evalwatt[vllm]'` in an "
            f"environment of its own, {_INSTEAD}"
        ) from error
    try:
        lm = VLLM(pretrained=str(path), dtype=dtype, trust_remote_code=False, enable_prefix_caching=True)
    except (OSError, ValueError, RuntimeError, AssertionError) as error:
        sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineFailed(f"vLLM cannot load {path.name}: {sentence}") from error
    config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    return Engine(
        name=NAME,
        version=f"lm-eval {version('lm-eval')}, vllm {version('vllm')}, torch {torch.__version__}",
        batch_policy="vLLM's own, prefix caching",
        lm=lm,
        synchronize=lambda: None,  # vLLM returns once its process has all tokens
        counted=TokenCounts,
        architecture=config.architectures[0] if config.architectures else type(config).__name__,
        params_b=_parameters(path) / 1e9,
    )


def _parameters(path: Path) -> int:
    """The number of parameters in the folder's weights, because the model itself is in vLLM's process."""
    total = 0
    for file in path.glob("*.safetensors"):
        with safe_open(file, framework="pt") as weights:
            total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return total
