"""Builds that a model needs once before it can be loaded: conversions, trained adapters, merges.

Belongs here: each build, and the store that keeps results whole. Does not belong here: which build a catalogue entry
needs (`sources`).
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from evaluators import environment
from evaluators.models.files import copied_in_a_merge
from evaluators.redaction import redact
from evaluators.terminal import terminal
from evaluators.wording import duration, sentence

_RECIPES_LAST_LINES = 100
_WIDTH = 78  # of a terminal line that the next one replaces
_WORTH_A_LINE_S = 5.0  # builds that took this long print how long they took
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# The dimension in which an adapter's tensors of an embedding have one entry per token.
_ROWS = {"weight": 0, "base_layer.weight": 0, "lora_embedding_A": 1, "lora_B.weight": 0}
_ADAPTED_EMBEDDING = re.compile(r"\.lora_embedding_A|\.(lm_head|embed_out|output)\.lora_A")


class ModelUnavailable(Exception):
    """The model is not available; the message is one sentence with its remedy."""


class _NotMergeable(Exception):
    """The adapter cannot be merged into the base's weights; the message says why."""


class NotHere(ModelUnavailable):
    """Not an error: the model has not been built or downloaded here yet."""


@dataclass(frozen=True, slots=True)
class Former:
    """The key of a folder in version 0.1.0. It did not cover `inputs`, which the folder is also built from."""

    key: str
    inputs: tuple[Path, ...]


class Store:
    """Folders named by what they were built from. A folder exists whole or not at all; one process builds it."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._path = path
        self._log = log

    def folder(self, key: str) -> Path:
        return self._path / key[:32]

    def once(self, key: str, announcement: str, build: Callable[[Path], None], former: Former | None = None) -> Path:
        """The folder of `key`, or the former one; where neither exists, `build` creates it. Raises ModelUnavailable."""
        target = self._found(key, former)
        if target.is_dir():
            return target
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with self._locked(target.with_suffix(".lock")):
                if not target.is_dir():
                    self._log(announcement)
                    started = time.monotonic()
                    self._build(target, build)
                    if (took_s := time.monotonic() - started) >= _WORTH_A_LINE_S:
                        self._log(f"  done in {duration(took_s)}")
        except OSError as error:
            remedy = "free space there, make it writable, or set EVALWATT_HOME"
            raise ModelUnavailable(f"cannot write {target} ({error.strerror or error}); {remedy}") from error
        return target

    def _found(self, key: str, former: Former | None) -> Path:
        """The folder of `key`; the former one where only that exists, and none of its inputs changed since."""
        target = self.folder(key)
        if former is not None and not target.is_dir():
            kept = self.folder(former.key)
            if kept.is_dir() and all(path.stat().st_mtime <= kept.stat().st_mtime for path in former.inputs):
                return kept
        return target

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            self._log("waiting for another process that is preparing the same model")
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
    """Builds nothing, and records in `asked` which folders would be needed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lambda line: None)
        self.asked: set[Path] = set()

    def once(self, key: str, announcement: str, build: Callable[[Path], None], former: Former | None = None) -> Path:
        """The folder of `key`, or the former one. Raises NotHere."""
        target = self._found(key, former)
        self.asked.add(target)
        if not target.is_dir():
            raise NotHere(f"{target} has not been built")
        return target


def convert_gguf(file: Path, target: Path) -> None:
    """Write a GGUF file's weights, in float32, and its tokenizer as a transformers folder."""
    import transformers

    source: dict[str, Any] = {"gguf_file": file.name, "trust_remote_code": False}
    try:
        with _gguf_read_once():
            tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **source)
            model = transformers.AutoModelForCausalLM.from_pretrained(file.parent, **source)
    except Exception as error:  # parsers raise anything on invalid bytes
        raise ModelUnavailable(
            f"cannot read {file} as GGUF ({sentence(error)}); install or download it again"
        ) from error
    # transformers refuses to save weights that it considers quantized, which these no longer are
    model.hf_quantizer = None  # type: ignore[assignment]
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


@contextmanager
def _gguf_read_once() -> Iterator[None]:
    """Cache what transformers repeats: it reads a file separately for tokenizer, configuration and weights, and lists
    all tensor names for each tensor. Converting 135 million parameters takes 15 s instead of 27."""
    import gguf

    repeated = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    for name, function in repeated.items():
        setattr(gguf, name, functools.cache(function))
    try:
        yield
    finally:
        for name, function in repeated.items():
            setattr(gguf, name, function)


def train_adapter(script: Path, base: Path, target: Path, seed: int) -> None:
    """Run a recipe, which trains an adapter of the model in `base` and writes it to `target`."""
    command = [sys.executable, str(script), "--base", str(base), "--out", str(target), "--seed", str(seed)]
    # The recipe's process would bypass our redacted streams, so its output is read and printed without secrets on
    # standard output, which Dagster keeps in the run's log. A terminal shows the last line; after a failure, all of it.
    watched, said = terminal(), deque[str](maxlen=_RECIPES_LAST_LINES)
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **streams, env=environment.of_recipe()) as recipe:
        assert recipe.stdout is not None
        try:
            # A progress bar redraws its line after a carriage return, which also ends a line here and is kept.
            for line in io.TextIOWrapper(recipe.stdout, encoding="utf-8", errors="replace", newline=""):
                said.append(redact(line))
                print(said[-1], end="", flush=True)
                if watched is not None:
                    print(f"\r\x1b[K{said[-1].strip()[:_WIDTH]}", end="", file=watched, flush=True)
        except BaseException:
            recipe.kill()
            raise
        finally:
            if watched is not None:
                print("\r\x1b[K", end="", file=watched, flush=True)
    if (code := recipe.returncode) != 0:
        print(*said, sep="", file=watched or sys.stderr, flush=True)
        raise ModelUnavailable(f"the recipe {script} ended with exit code {code}; its output above says why")


def merge_adapter(base: Path, adapter: Path, target: Path) -> None:
    """Write the base with the adapter's changes merged into its weights, as a transformers folder.

    The base is resized to the number of embeddings that the adapter was saved with. Raises ModelUnavailable.
    """
    import peft
    import torch
    import transformers

    kind = "of an unknown kind"
    try:
        config = peft.PeftConfig.from_pretrained(str(adapter))
        kind = str(getattr(config.peft_type, "value", config.peft_type))
        if config.is_prompt_learning:
            raise _NotMergeable("it changes prompts, not weights")
        # Without this argument transformers would ask on standard input whether to run the folder's code.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            base, dtype="auto", use_safetensors=True, trust_remote_code=False
        )
        rows, embedding = _embeddings(model, config, adapter / ADAPTER_WEIGHTS), model.get_input_embeddings()
        if rows is not None and rows != len(embedding.weight):  # type: ignore[arg-type]
            torch.manual_seed(0)  # rows that the adapter does not contain are random, and the same in every merge
            model.resize_token_embeddings(rows, mean_resizing=False)
        tuned = peft.PeftModel.from_pretrained(model, str(adapter))
        _untie_what_is_adapted(model)
        try:
            merged = tuned.merge_and_unload()
        except (AttributeError, NotImplementedError) as error:
            said = sentence(error) if isinstance(error, NotImplementedError) and str(error) else "peft cannot merge it"
            raise _NotMergeable(said) from error
    except _NotMergeable as error:
        remedy = "train an adapter that changes weights, such as LoRA"
        raise ModelUnavailable(f"the adapter in {adapter} cannot be merged: {kind} ({error}); {remedy}") from error
    except ImportError as error:  # a package that reading the base's quantized weights needs
        raise ModelUnavailable(f"cannot load {base} to merge the adapter in {adapter}: {sentence(error)}") from error
    except Exception as error:  # mismatching shapes, names and kinds each raise their own exception
        remedy = "check that base_model is the model that the adapter was trained on"
        raise ModelUnavailable(f"the adapter in {adapter} does not fit {base} ({sentence(error)}); {remedy}") from error
    merged.save_pretrained(target)
    for file in (*copied_in_a_merge(base), *copied_in_a_merge(adapter)):  # the adapter's files come last and win
        shutil.copyfile(file, target / file.name)


def adapts_tied_embeddings(base: Path, adapter: Path) -> bool:
    """Whether the adapter changes an embedding that the base uses for both input and output. Up to version 0.1.0 such a
    change was merged into both, although it was trained for one. False for unreadable files: merging says why."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(adapter / ADAPTER_WEIGHTS, framework="np") as file:
            adapted = any(_ADAPTED_EMBEDDING.search(name) for name in list(file.keys()))
        return adapted and bool(json.loads((base / "config.json").read_bytes()).get("tie_word_embeddings", True))
    except (OSError, ValueError, SafetensorError):
        return False


def _untie_what_is_adapted(model: Any) -> None:
    """Give the head its own weights where it shares them with the embeddings and the adapter changes one of the two,
    because merging would change both."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [layer for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer is not None]
    plain: list[Any] = [layer.get_base_layer() if isinstance(layer, BaseTunerLayer) else layer for layer in layers]
    head = plain[-1]
    if plain != layers and all(layer.weight is head.weight for layer in plain):
        head.weight = torch.nn.Parameter(head.weight.detach().clone())


def _embeddings(model: Any, config: Any, weights: Path) -> int | None:
    """The number of embeddings of the model that the adapter was saved from; None where the adapter does not say."""
    from safetensors import safe_open

    layers = {id(layer) for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer is not None}
    names = [name for name, module in model.named_modules() if id(module) in layers]
    with safe_open(weights, framework="pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in list(file.keys())}
    for name in names:
        for part, dimension in _ROWS.items():
            if (shape := shapes.get(f"base_model.model.{name}.{part}")) is not None:
                return int(shape[dimension])
    # Tokens that were trained individually are saved individually; the last of them may be new.
    trained = getattr(config, "trainable_token_indices", None) or getattr(config, "token_indices", None) or []
    last = max(itertools.chain.from_iterable(trained.values() if isinstance(trained, dict) else [trained]), default=-1)
    return last + 1 if last >= len(model.get_input_embeddings().weight) else None
