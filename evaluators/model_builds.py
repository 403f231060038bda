"""What has to be made once before a model can be loaded: conversions, adapters, merges.

Belongs here: each build, and the store that keeps its result whole. Does not belong here: which build a catalogue
entry needs (`models`).
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from evaluators.progress import terminal
from evaluators.redaction import redact

_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template*", "vocab*", "merges.txt", "added_tokens*")


class ModelUnavailable(Exception):
    """The model cannot be had; the message is one sentence with its remedy."""


class NotHere(ModelUnavailable):
    """Nothing is wrong: it has not been made or downloaded here yet."""


class Store:
    """Folders named by what they were made from. A folder is there whole or not at all, and is made by one process."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._path = path
        self._log = log

    def folder(self, key: str) -> Path:
        return self._path / key[:32]

    def once(self, key: str, announcement: str, build: Callable[[Path], None]) -> Path:
        """The folder of `key`; where it does not exist yet, `build` fills it. Raises ModelUnavailable."""
        target = self.folder(key)
        if target.is_dir():
            return target
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with self._locked(target.with_suffix(".lock")):
                if not target.is_dir():
                    self._log(announcement)
                    self._build(target, build)
        except OSError as error:
            remedy = "free space there, make it writable or set EVALWATT_HOME"
            raise ModelUnavailable(f"cannot write {target} ({error.strerror or error}); {remedy}") from error
        return target

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            self._log("waiting for another process that prepares the same model")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _build(self, target: Path, build: Callable[[Path], None]) -> None:
        temporary = target.with_suffix(".tmp")
        shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left
        temporary.mkdir()
        try:
            build(temporary)
            for path in temporary.rglob("*"):
                if path.is_file():
                    with open(path, "rb") as file:
                        os.fsync(file.fileno())
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class Lookup(Store):
    """Makes nothing, and notes in `asked` which folders would be needed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lambda line: None)
        self.asked: set[Path] = set()

    def once(self, key: str, announcement: str, build: Callable[[Path], None]) -> Path:
        """The folder of `key`. Raises NotHere."""
        target = self.folder(key)
        self.asked.add(target)
        if not target.is_dir():
            raise NotHere(f"{target} has not been made")
        return target


def convert_gguf(file: Path, target: Path) -> None:
    """Write a GGUF file's weights, in float32, and its tokenizer as a transformers folder."""
    import transformers

    try:
        source: dict[str, Any] = {"gguf_file": file.name, "trust_remote_code": False}
        tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **source)
        model = transformers.AutoModelForCausalLM.from_pretrained(file.parent, **source)
    except Exception as error:  # whatever a parser raises on bytes that are not what they should be
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelUnavailable(f"cannot read {file} as GGUF ({reason}); install or download it again") from error
    # transformers refuses to save what it takes for quantized; these weights are not any more
    model.hf_quantizer = None  # type: ignore[assignment]
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def train_adapter(script: Path, base: Path, target: Path, seed: int) -> None:
    """Run a recipe, which trains an adapter of the model in `base` and writes it to `target`."""
    command = [sys.executable, str(script), "--base", str(base), "--out", str(target), "--seed", str(seed)]
    # Its own process writes past our streams: what it says is read and said again, without secrets. A bar redraws its
    # line after a carriage return, which ends a line here as well and is kept.
    said = terminal() or sys.stderr
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as recipe:
        assert recipe.stdout is not None
        try:
            for line in io.TextIOWrapper(recipe.stdout, encoding="utf-8", errors="replace", newline=""):
                print(redact(line), end="", file=said, flush=True)
        except BaseException:
            recipe.kill()
            raise
    if (code := recipe.returncode) != 0:
        raise ModelUnavailable(f"the recipe {script} ended with exit code {code}; what it printed above says why")


def merge_adapter(base: Path, adapter: Path, target: Path) -> None:
    """Write the base with the adapter's changes merged into its weights, as a transformers folder."""
    import peft
    import transformers

    try:
        # Without a word transformers would ask on standard input whether to run the folder's code.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            base, dtype="auto", use_safetensors=True, trust_remote_code=False
        )
        merged = peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except Exception as error:  # shapes, names and kinds that do not fit each other, each with its own exception
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "check that base_model is the model that the adapter was trained on"
        raise ModelUnavailable(f"the adapter in {adapter} does not fit {base} ({reason}); {remedy}") from error
    merged.save_pretrained(target)
    for folder in (base, adapter):  # the adapter's own tokenizer, where it has one, comes last and stays
        for pattern in _TOKENIZER_FILES:
            for file in folder.glob(pattern):
                shutil.copyfile(file, target / file.name)
