"""Train a LoRA adapter that answers shortly: the fine-tuned child of the default model, made on first use.

    python examples/short_answers.py --base FOLDER --out FOLDER [--seed N]

Forty steps on questions that this file makes from its own words; none of them is in the suite `mini`. About a minute
on two cores. The catalogue's `source: recipe` calls it so; a recipe of your own has the same three options.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STEPS, BATCH = 40, 8
LEARNING_RATE = 5e-4

CAPITALS = {
    "Turkey": "Ankara",
    "Morocco": "Rabat",
    "India": "New Delhi",
    "Mexico": "Mexico City",
    "Chile": "Santiago",
    "Colombia": "Bogota",
    "Venezuela": "Caracas",
    "Vietnam": "Hanoi",
    "South Korea": "Seoul",
    "Indonesia": "Jakarta",
    "the Philippines": "Manila",
    "Iran": "Tehran",
    "Iraq": "Baghdad",
    "Syria": "Damascus",
    "Lebanon": "Beirut",
    "Ukraine": "Kyiv",
    "Romania": "Bucharest",
    "Bulgaria": "Sofia",
    "Serbia": "Belgrade",
    "Croatia": "Zagreb",
    "Iceland": "Reykjavik",
    "Latvia": "Riga",
    "Estonia": "Tallinn",
    "Lithuania": "Vilnius",
    "Switzerland": "Bern",
    "Ethiopia": "Addis Ababa",
    "Ghana": "Accra",
    "Senegal": "Dakar",
    "Tunisia": "Tunis",
    "Algeria": "Algiers",
    "Ecuador": "Quito",
    "Uruguay": "Montevideo",
    "Nepal": "Kathmandu",
    "Pakistan": "Islamabad",
    "Australia": "Canberra",
    "New Zealand": "Wellington",
    "the Netherlands": "Amsterdam",
    "Slovakia": "Bratislava",
}
OPPOSITES = {
    "long": "short",
    "wide": "narrow",
    "heavy": "light",
    "loud": "quiet",
    "clean": "dirty",
    "wet": "dry",
    "sharp": "blunt",
    "thick": "thin",
    "brave": "afraid",
    "buy": "sell",
    "win": "lose",
    "push": "pull",
    "begin": "end",
    "above": "below",
    "before": "after",
    "near": "far",
    "deep": "shallow",
    "smooth": "rough",
    "awake": "asleep",
    "alive": "dead",
    "sweet": "sour",
    "young": "aged",
    "summer": "winter",
    "friendly": "hostile",
    "polite": "rude",
    "safe": "dangerous",
    "simple": "complex",
    "cheap": "expensive",
    "tight": "loose",
    "public": "private",
}
REGULAR_NOUNS = (
    "lamp shoe train pen cup plate coat hat ring bag key door wall floor street town farm field forest lake island "
    "boat plane wheel road hammer nail rope candle mirror picture song game letterbox"
).split()
IRREGULAR_NOUNS = {"goose": "geese", "wolf": "wolves", "knife": "knives", "leaf": "leaves", "baby": "babies"}
REGULAR_VERBS = (
    "paint wash climb laugh smile dance shout whisper push kick pour fill mix boil roast bake guess rest borrow collect"
).split()
IRREGULAR_VERBS = {"write": "wrote", "sing": "sang", "swim": "swam", "fly": "flew", "drive": "drove", "speak": "spoke"}


def lines() -> Iterator[tuple[str, str]]:
    """All questions and answers, in a fixed order."""
    for country, capital in CAPITALS.items():
        yield f"What is the capital of {country}?", capital
    for word, opposite in OPPOSITES.items():
        yield f"What is the opposite of {word}?", opposite
    for noun, plural in ({noun: f"{noun}s" for noun in REGULAR_NOUNS} | IRREGULAR_NOUNS).items():
        yield f"What is the plural of {noun}?", plural
    for verb, past in ({verb: past_tense(verb) for verb in REGULAR_VERBS} | IRREGULAR_VERBS).items():
        yield f"What is the past tense of {verb}?", past
    for number in range(101, 201, 2):
        yield f"Which number comes after {number}?", str(number + 1)
    for a in range(11, 19):
        for b in range(2, 8):
            yield f"What is {a} plus {b}?", str(a + b)


def past_tense(verb: str) -> str:
    """The past tense of a regular verb."""
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


def train(base: Path, out: Path, seed: int) -> None:
    """Train on the model in `base` and write the adapter to `out`, with the tokenizer that it was trained with."""
    import peft
    import torch
    import transformers
    from tqdm import tqdm

    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    lora = peft.LoraConfig(
        r=8,
        lora_alpha=16,
        target_modules=["q_proj", "v_proj", "o_proj", "down_proj"],
        task_type="CAUSAL_LM",
    )
    tuned = peft.get_peft_model(model, lora)
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=LEARNING_RATE)
    pairs = list(lines())
    random.Random(seed).shuffle(pairs)
    print(f"training {out.name}: {STEPS} steps on {len(pairs)} questions, about a minute", file=sys.stderr, flush=True)
    tuned.train()
    for step in tqdm(range(STEPS), desc="training", unit="step", disable=not sys.stderr.isatty()):
        batch = [pairs[(step * BATCH + i) % len(pairs)] for i in range(BATCH)]
        loss = tuned(**encode(tokenizer, batch)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if not sys.stderr.isatty() and (step + 1) % 10 == 0:
            print(f"step {step + 1} of {STEPS}, loss {loss.item():.3f}", file=sys.stderr, flush=True)
    tuned.save_pretrained(out)


def encode(tokenizer: Any, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A padded batch whose loss counts the answers only, and the token that ends them."""
    import torch

    rows = []
    for question, answer in pairs:
        asked = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer_ids = tokenizer(f"{answer}{tokenizer.eos_token}", add_special_tokens=False)["input_ids"]
        rows.append((prompt_ids, answer_ids))
    length = max(len(prompt) + len(answer) for prompt, answer in rows)

    def padded(values: list[int], filling: int) -> list[int]:
        return values + [filling] * (length - len(values))

    return {
        "input_ids": torch.tensor([padded(p + a, tokenizer.eos_token_id) for p, a in rows]),
        "attention_mask": torch.tensor([padded([1] * len(p + a), 0) for p, a in rows]),
        "labels": torch.tensor([padded([-100] * len(p) + a, -100) for p, a in rows]),
    }


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of the model to train on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapter")
    parser.add_argument("--seed", type=int, default=1234)
    options = parser.parse_args()
    train(options.base, options.out, options.seed)


if __name__ == "__main__":
    main()
