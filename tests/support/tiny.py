"""Small real parts for tests: a random llama of 40,000 parameters that loads in milliseconds, and tasks to ask it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evaluators.catalogue.entries import load
from evaluators.landing import bundles
from evaluators.plan import make_spec, plan
from evaluators.spec import RunSpec

TASKS = ["tiny_one", "tiny_two", "tiny_three"]
WORDS = ("yes no the a is of and to in one two three four five six sky grass blue green red what colour").split()


def save_model(folder: Path, *, seed: int = 0, tokenizer: bool = True, **changes: Any) -> Path:
    """Write a llama with random weights and a word-level tokenizer, as safetensors. `changes`: of its configuration."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<unk>", "<s>", "</s>", *WORDS, "?", ".", ":"])}
    torch.manual_seed(seed)
    settings = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config = LlamaConfig(**settings | changes)
    LlamaForCausalLM(config).save_pretrained(folder)
    if tokenizer:
        words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
        words.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
        PreTrainedTokenizerFast(
            tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
        ).save_pretrained(folder)
    return folder


def save_tasks(
    folder: Path, names: tuple[str, ...] = ("tiny_one", "tiny_two", "tiny_three"), documents: int = 6
) -> Path:
    """Write lm-eval task files: multiple choice on documents that differ from task to task."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        lines = [
            {"question": f"what colour is {WORDS[9 + (i + number) % 6]} ?", "choices": ["blue", "green"], "gold": i % 2}
            for i in range(documents)
        ]
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(line) + "\n" for line in lines))
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{question}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{gold}}",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": 1.0},
        }
        (folder / f"{name}.yaml").write_text(json.dumps(task))  # JSON is YAML
    return folder


def use_function(folder: Path, task: str, field: str, function: str) -> None:
    """Let a function of a module in the tasks' folder stand in a task's field, or in its metric's."""
    path = folder / f"{task}.yaml"
    document = json.loads(path.read_text())
    place = document["metric_list"][0] if field in document["metric_list"][0] else document
    place[field] = "FUNCTION"
    path.write_text(json.dumps(document).replace('"FUNCTION"', f"!function {function}"))


def save_generation_task(folder: Path, name: str = "tiny_text", documents: int = 4) -> None:
    """Write a task that generates a few words and compares them."""
    data = folder / f"{name}.jsonl"
    data.write_text(
        "".join(json.dumps({"q": f"the sky is {WORDS[9 + i]}", "a": "blue"}) + "\n" for i in range(documents))
    )
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "generation_kwargs": {"until": ["?"], "max_gen_toks": 6, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(task))


def save_catalogue(folder: Path, *, tasks: list[object], models: list[dict[str, object]], **settings: object) -> Path:
    """Write a catalogue with one suite `tiny` whose task files lie in the folder `tasks` beside it."""
    document = {
        "settings": {"idle_s": 0, "machine_id": "test-machine", "threads": 1, "meter": "none"} | settings,
        "suites": {"tiny": {"description": "for tests", "include_path": "tasks", "tasks": tasks}},
        "models": models,
    }
    path = folder / "catalogue.yml"
    path.write_text(json.dumps(document))
    return path


def model_entry(name: str, folder: str, **changes: object) -> dict[str, object]:
    """A catalogue entry for a folder beside the catalogue."""
    return {
        "name": name,
        "source": "path",
        "path": folder,
        "family": "tiny",
        "provider": "own",
        "kind": "pretrained",
        "dtype": "float32",
        "batch_size": 4,
        "suites": ["tiny"],
    } | changes


def next_spec(workplace: Path) -> RunSpec:
    catalogue = load(workplace / "catalogue.yml")
    return make_spec(catalogue, plan(catalogue, workplace / "home")[0], workplace / "home")


def rows(workplace: Path, table: str) -> list[dict[str, object]]:
    found = []
    for bundle in bundles.bundles(workplace / "home" / "landing"):
        if table in bundle.files:
            bundles.verify(bundle.files[table])
            found += pq.read_table(bundle.files[table]).to_pylist()
    return found
