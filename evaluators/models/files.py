"""The files in a model's folder that change its answers, besides weights and configuration.

Belongs here: which files these are, and their digest. Does not belong here: weights, and which folder is used
(`sources`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ADAPTER_CONFIG = "adapter_config.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_TOKENIZER = (
    "*token*",
    "*vocab*",
    "merges*",
    "*.model",
    "*.spm",
    "*.codes",
    "dict.txt",
    "normalizer.json",
    "tekken.json",
)
_TEMPLATES = ("chat_template*",)
# Never a tokenizer, despite the name.
_OTHERS = {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".md", ".py"}
# The base's location and the installed versions do not change the adapter.
_NOT_THE_ADAPTERS = {"base_model_name_or_path", "revision", "peft_version"}


@dataclass(frozen=True, slots=True)
class Change:
    """A file and its time of modification."""

    path: Path
    at: datetime

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name} was changed on {self.at:%Y-%m-%d %H:%M} UTC"


def last_change(files: Iterable[Path]) -> Change | None:
    """The newest of the files; None where there are none."""
    changes = [Change(path, datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)) for path in files]
    return max(changes, key=lambda change: change.at, default=None)


def tokenizer_files(folder: Path) -> list[Path]:
    """All that transformers reads a tokenizer from, sorted by name."""
    return _matching(folder, _TOKENIZER)


def copied_in_a_merge(folder: Path) -> list[Path]:
    """The files that a merge copies from the base's and the adapter's folder: tokenizer and chat template."""
    return _matching(folder, _TOKENIZER + _TEMPLATES)


def beside(folder: Path) -> list[Path]:
    """The files beside the weights that change answers: the tokenizer, and an adapter's configuration.

    The chat template is not included: it changes only the answers of tasks that apply it, and their fingerprints cover
    its text.
    """
    config = folder / ADAPTER_CONFIG
    return [*tokenizer_files(folder), *([config] if config.is_file() else [])]


def digest_beside(folder: Path) -> str:
    """sha-256 over the content of `beside`, without what does not change answers."""
    return _digest([(path.name, _content(path)) for path in beside(folder)])


def digest_of(files: Iterable[Path]) -> str:
    """sha-256 over names and bytes."""
    return _digest([(path.name, path.read_bytes()) for path in files])


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.suffix not in _OTHERS and path.is_file())


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name not in (_TOKENIZER_CONFIG, ADAPTER_CONFIG):
        return content
    try:
        config = json.loads(content)
    except ValueError:
        return content
    if not isinstance(config, dict):
        return content
    unsaid = _NOT_THE_ADAPTERS if path.name == ADAPTER_CONFIG else {"chat_template"}
    said = {name: _in_order(value) for name, value in config.items() if name not in unsaid}
    return json.dumps(said, sort_keys=True).encode()


def _in_order(value: Any) -> Any:
    """PEFT writes sets of names as lists, in an order that differs from process to process."""
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return sorted(value) if names else value


def _digest(contents: list[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    return digest.hexdigest()
