"""What the task files of `mini` call: reading the documents and judging generated answers.

lm-eval loads this file by its path, as `!function judge.…` in the YAML files beside it, so that it must not import
anything of the project.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datasets

Document = dict[str, Any]

DOCUMENTS = 200  # further lines are few-shot examples


def load(name: str, **_: Any) -> dict[str, datasets.Dataset]:
    """The documents of one task, wherever the project lies; nothing is written. lm-eval passes the metadata too."""
    path = Path(__file__).parent / "documents" / f"{name}.jsonl"
    documents = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    splits = {"test": documents[:DOCUMENTS], "fewshot": documents[DOCUMENTS:]}
    return {split: datasets.Dataset.from_list(members) for split, members in splits.items() if members}


def short_answer(doc: Document, results: list[str]) -> dict[str, float]:
    """`answer_found`: the first sentence has the answer as whole words; `exact_match`: nothing but the answer."""
    target = _words(doc["answer"])
    first = re.split(r"[.!?]\s|\n", results[0].strip())[0]
    return {
        "answer_found": float(f" {target} " in f" {_words(first)} "),
        "exact_match": float(_words(results[0]) == target),
    }


def instruction(doc: Document, results: list[str]) -> dict[str, float]:
    """Whether the answer has the form that was asked for."""
    answer, argument = results[0].strip(), doc["argument"]
    words = _words(answer).split()
    match doc["form"]:
        case "contains":
            followed = set(argument.split()) <= set(words)
        case "sentences":
            followed = answer[-1:] in tuple(".!?") and len(re.findall(r"[.!?](?=\s|$)", answer)) == int(argument)
        case "yes_or_no":
            followed = words[:1] in (["yes"], ["no"])
        case "uppercase":
            followed = argument.upper() in re.findall(r"\w+", answer)
        case "repeats":
            word, number = argument.split()
            followed = words == [word] * int(number)
        case "quoted":
            followed = f'"{argument}"' in answer.lower()
        case form:
            raise ValueError(f"no rule for the form {form!r}")
    return {"followed": float(followed)}


def _words(text: str) -> str:
    """Lower-case words with single spaces between them, punctuation gone."""
    return " ".join(re.findall(r"\w+", text.lower()))
