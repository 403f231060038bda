"""Engines: how a model answers lm-eval's requests. Each is imported only when it is asked for.

transformers.py   lm-eval's own `hf` backend
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lm_eval.api.model import TemplateLM


class EngineFailed(Exception):
    """The model cannot be loaded; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model. `synchronize` returns when the device has done all that it was asked."""

    name: str
    version: str
    batch_policy: str
    lm: TemplateLM
    synchronize: Callable[[], None]
    architecture: str
    params_b: float


def load(name: str, path: Path, *, dtype: str, device: str, batch_size: int) -> Engine:
    """Load the model in the folder `path`. Raises ValueError for an unknown engine, EngineFailed for a bad model."""
    if name == "transformers":
        from evaluators.engines import transformers

        return transformers.load(path, dtype=dtype, device=device, batch_size=batch_size)
    raise ValueError(f"engine {name!r} is not known; there is: transformers")
