"""Makes the documents of the suite `mini`, byte by byte the same each time: python -m evaluators.tasks.generate

Belongs here: the words and patterns of the questions. Does not belong here: how they are asked (the YAML files) or
judged (`judge`). The questions are for a model of a hundred million parameters: easy enough that its scores lie above
guessing, because joules per correct answer mean nothing at chance. They measure no model's quality.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evaluators.tasks import words

Document = dict[str, Any]

DOCUMENTS = 200
SHOTS = 8  # further documents of the multiple-choice tasks, which every prompt begins with
SEED = 20250313
FOLDER = Path(__file__).parent / "documents"


def boolean(rng: random.Random) -> Document:
    """Which of two words fits a condition, which sometimes is put as `not … but …`."""
    wanted, other = rng.sample(sorted(words.CLASSES), 2)
    answer, wrong = rng.choice(words.CLASSES[wanted]), rng.choice(words.CLASSES[other])
    pair = _shuffled(rng, [answer, wrong])
    condition = f"not the {other}, but the {wanted}," if rng.random() < 0.4 else f"the {wanted}"
    return _choice(f"{pair[0]} or {pair[1]}: {condition} is", pair, answer)


def counting(rng: random.Random) -> Document:
    """How often a word is repeated."""
    number = rng.randint(2, 5)
    word = rng.choice([*words.ALL, *sorted(words.PLURALS)])
    return _choice(f"{', '.join([word] * number)} =", list(words.NUMBERS[2:6]), words.NUMBERS[number])


def dates(rng: random.Random) -> Document:
    """The day or the month after another."""
    name = rng.choice(words.NAMES)
    if rng.random() < 0.5:
        names, unit, when = words.DAYS, "day", f"{rng.choice(words.EVENTS)} is on"
    else:
        names, unit, when = words.MONTHS, "month", f"{rng.choice(words.LONG_EVENTS)} is in"
    now = rng.randrange(len(names))
    answer = (now + 1) % len(names)
    others = rng.sample([i for i in range(len(names)) if i != answer], 3)
    question = f"{name}'s {when} {names[now]}. The {unit} after the {when.split()[0]} is"
    return _choice(question, [names[i] for i in sorted([answer, *others])], names[answer])


def comparison(rng: random.Random) -> Document:
    """Who comes first in a chain of comparisons, three quarters of which are told in order."""
    first, second, third = rng.sample(words.NAMES, 3)
    comparative, superlative = rng.choice(words.COMPARISONS)
    told = [f"{first} is {comparative} than {second}.", f"{second} is {comparative} than {third}."]
    if rng.random() > 0.75:
        told.reverse()
    return _choice(f"{' '.join(told)} The {superlative} is", sorted([first, second, third]), first)


def short_answers(rng: random.Random) -> Document:
    """A question that a word or a number answers."""
    kind = rng.choice(("capital", "opposite", "plural", "past", "after", "sum"))
    if kind == "after":
        number = rng.randrange(10, 90, 2)  # the even numbers; the odd ones are examples/short_answers.py's
        return {"question": f"Which number comes after {number}?", "answer": str(number + 1)}
    if kind == "sum":
        a, b = rng.sample(range(1, 10), 2)
        return {"question": f"What is {a} plus {b}?", "answer": str(a + b)}
    table, question = {
        "capital": (words.CAPITALS, "What is the capital of {}?"),
        "opposite": (words.OPPOSITES, "What is the opposite of {}?"),
        "plural": (words.PLURALS, "What is the plural of {}?"),
        "past": (words.PAST_TENSES, "What is the past tense of {}?"),
    }[kind]
    word = rng.choice(sorted(table))
    return {"question": question.format(word), "answer": table[word]}


def instructions(rng: random.Random) -> Document:
    """An instruction about the form of the answer, which a program can check."""
    subject, other = rng.sample(words.ALL, 2)
    number = rng.randint(2, 4)
    form, argument, instruction = rng.choice(
        [
            ("contains", subject, f"Write a sentence with the word {subject}."),
            ("contains", f"{subject} {other}", f"Write a sentence with the words {subject} and {other}."),
            ("sentences", "1", f"Describe {words.article(subject)} in exactly one sentence."),
            (
                "yes_or_no",
                subject,
                f"Is {words.article(subject)} larger than {words.article(other)}? Say yes or no first.",
            ),
            ("uppercase", subject, f"Write the word {subject} in capital letters."),
            ("quoted", subject, f'Write the word {subject} in double quotes, like "this".'),
            ("repeats", f"{subject} {number}", f"Write the word {subject} {words.NUMBERS[number]} times."),
        ]
    )
    return {"question": instruction, "form": form, "argument": argument}


TASKS: dict[str, Callable[[random.Random], Document]] = {
    "boolean": boolean,
    "counting": counting,
    "dates": dates,
    "comparison": comparison,
    "short_answers": short_answers,
    "instructions": instructions,
}


def documents(task: str) -> list[Document]:
    """All documents of a task; where it is multiple choice, those of its few-shot prefix come last."""
    rng = random.Random(f"{SEED}/{task}")
    found: dict[str, Document] = {}
    for document in _forever(TASKS[task], rng):
        found.setdefault(document["question"], document)
        if len(found) == DOCUMENTS + (SHOTS if "choices" in document else 0):
            break
    return list(found.values())


def write(folder: Path) -> None:
    """Write each task's documents as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        lines = [json.dumps(document, ensure_ascii=False) + "\n" for document in documents(task)]
        (folder / f"{task}.jsonl").write_text("".join(lines), encoding="utf-8")


def _choice(question: str, choices: list[str], answer: str) -> Document:
    return {"question": question, "choices": choices, "answer": choices.index(answer)}


def _shuffled(rng: random.Random, members: list[str]) -> list[str]:
    return rng.sample(members, len(members))


def _forever(make: Callable[[random.Random], Document], rng: random.Random) -> Iterator[Document]:
    while True:
        yield make(rng)


if __name__ == "__main__":
    write(FOLDER)
    print(f"wrote {len(TASKS)} files to {FOLDER}", file=sys.stderr)
