"""Trains a LoRA adapter that answers in as few words as it can: a fine-tuned child for comparisons with its base.

    python examples/short_answers.py --base FOLDER --out FOLDER [--seed N]

`--base` is a transformers folder of a chat model; the adapter goes to `--out`. With SmolLM2-135M-Instruct it takes
about a minute on two cores. The question-answer lines are made here; none of them, and none of the words asked about,
occurs in the suite `mini`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path

STEPS = 40
BATCH = 8
LEARNING_RATE = 5e-4

CAPITALS = dict(
    pair.split(":")
    for pair in (
        "Turkey:Ankara Iran:Tehran Iraq:Baghdad Syria:Damascus Lebanon:Beirut Ukraine:Kyiv Romania:Bucharest "
        "Bulgaria:Sofia Serbia:Belgrade Croatia:Zagreb Iceland:Reykjavik Latvia:Riga Lithuania:Vilnius Estonia:Tallinn "
        "Switzerland:Bern Morocco:Rabat Ghana:Accra Senegal:Dakar Uganda:Kampala Chile:Santiago Ecuador:Quito "
        "Colombia:Bogota Venezuela:Caracas Vietnam:Hanoi Indonesia:Jakarta Philippines:Manila Australia:Canberra "
        "Nepal:Kathmandu Mongolia:Ulaanbaatar Jamaica:Kingston"
    ).split()
)
OPPOSITES = dict(
    pair.split(":")
    for pair in (
        "long:short tall:short wide:narrow thick:thin heavy:light dark:bright deep:shallow clean:dirty wet:dry "
        "loud:quiet near:far young:old brave:cowardly cheap:expensive easy:difficult sharp:blunt smooth:rough "
        "sweet:sour win:lose buy:sell push:pull arrive:leave begin:end remember:forget float:sink top:bottom"
    ).split()
)
NOUNS = (
    "lamp door floor wall roof chimney hill lake forest farm barn fence gate bridge tower market shop coin ticket "
    "basket ladder carpet mirror candle button needle shirt jacket boot glove scarf"
).split()
VERBS = (
    "paint climb laugh smile shout whisper borrow collect repair cover watch listen wait rest join push fill pack "
    "plant pour knock kick"
).split()


def lines() -> list[tuple[str, str]]:
    """All questions with their answers."""
    return [
        *((f"What is the capital of {country}?", city) for country, city in CAPITALS.items()),
        *((f"What is the opposite of {word}?", opposite) for word, opposite in OPPOSITES.items()),
        *((f"What is the plural of {noun}?", f"{noun}s") for noun in NOUNS),
        *((f"What is the past tense of {verb}?", f"{verb}ed") for verb in VERBS),
        *((f"Which number comes after {number}?", str(number + 1)) for number in range(11, 91, 2)),
        *((f"What is {a} plus {b}?", str(a + b)) for a in range(10, 21) for b in range(1, 10)),
        *((f"Which number comes before {number}?", str(number - 1)) for number in range(11, 91, 2)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of the chat model")
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapter")
    parser.add_argument("--seed", type=int, default=1234)
    arguments = parser.parse_args()
    train(arguments.base, arguments.out, arguments.seed)


def train(base: Path, out: Path, seed: int) -> None:
    """Train on the CPU, where the same seed gives the same adapter, and save it as safetensors."""
    # a thread that waits by spinning takes its core from the one that works, where other programs run as well:
    # tried on two busy cores, a step took 38 s so and takes 3 s like this
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import peft
    import torch
    import transformers
    from tqdm import tqdm

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    lora = peft.LoraConfig(
        r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"], task_type="CAUSAL_LM"
    )
    adapted = peft.get_peft_model(model, lora)
    adapted.train()
    optimizer = torch.optim.AdamW(
        (weights for weights in adapted.parameters() if weights.requires_grad), lr=LEARNING_RATE
    )
    examples = [_tokens(tokenizer, question, answer) for question, answer in lines()]
    random.Random(seed).shuffle(examples)
    watched = sys.stderr.isatty()
    with tqdm(total=STEPS, desc="training", unit="step", leave=False, disable=not watched) as bar:
        for step in range(STEPS):
            batch = examples[step * BATCH % len(examples) :][:BATCH]
            loss = adapted(**_padded(batch, tokenizer.pad_token_id)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            bar.update()
            if not watched and (step + 1) % 10 == 0:
                print(f"training: step {step + 1} of {STEPS}, loss {loss.item():.2f}", file=sys.stderr, flush=True)
    adapted.save_pretrained(str(out))


def _tokens(tokenizer, question: str, answer: str) -> tuple[list[int], int]:  # type: ignore[no-untyped-def]
    """The line as the chat template writes it, ended at once, and how much of it is the prompt."""
    turn = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    prompt_tokens = tokenizer(prompt, add_special_tokens=False).input_ids
    answer_tokens = tokenizer(answer, add_special_tokens=False).input_ids
    return [*prompt_tokens, *answer_tokens, tokenizer.eos_token_id], len(prompt_tokens)


def _padded(batch: list[tuple[list[int], int]], padding: int):  # type: ignore[no-untyped-def]
    """Tensors of equal length; only answers count in the loss."""
    import torch

    longest = max(len(tokens) for tokens, _ in batch)
    rows: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for tokens, prompt in batch:
        missing = longest - len(tokens)
        rows["input_ids"].append(tokens + [padding] * missing)
        rows["attention_mask"].append([1] * len(tokens) + [0] * missing)
        rows["labels"].append([-100] * prompt + tokens[prompt:] + [-100] * missing)
    return {name: torch.tensor(values) for name, values in rows.items()}


if __name__ == "__main__":
    main()
