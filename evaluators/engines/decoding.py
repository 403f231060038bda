"""Greedy decoding of many prompts side by side, after the prefix that all of them share.

Belongs here: which settings mean greedy decoding, which rows there are, and when one ends. Does not belong here: texts
(`shared_prefix`).
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteriaList,
    SuppressTokensLogitsProcessor,
)
from transformers.generation import GenerationMode

from evaluators.engines import prefix_trie
from evaluators.engines.memory import Memory
from evaluators.engines.prefix_trie import Piece, Segment, Trie
from evaluators.engines.tree_attention import Cache
from evaluators.engines.trie_model import TrieModel

_PLAIN_ARGUMENTS = {"until", "do_sample", "temperature", "max_gen_toks"}
# The logits processors that depend only on the tokens, not on the prompt's length.
_PROCESSORS = (
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
)


@dataclass(frozen=True, slots=True)
class Greedy:
    """Greedy decoding with a model's own settings: most generated tokens, tokens that end an answer, penalties."""

    most: int
    ends: set[int]
    processors: LogitsProcessorList


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer's tokens; `distinct` as in TokenCounts."""

    tokens: list[int]
    distinct: int


@dataclass
class _Row:
    """An answer that is being generated. `added`: tokens of its prompt that no earlier prompt has; `own`: its positions
    in the cache, beyond those that all rows share."""

    index: int
    prompt: list[int]
    added: int
    own: int
    stop: StoppingCriteriaList
    generated: list[int] = dataclasses.field(default_factory=list)

    def has_ended(self, greedy: Greedy) -> bool:
        if self.generated[-1] in greedy.ends or len(self.generated) >= greedy.most:
            return True
        return bool(torch.as_tensor(self.stop(torch.tensor([self.generated]), None)).all())


def is_plain(arguments: dict[str, Any]) -> bool:
    """Whether a request's arguments ask for greedy decoding and set nothing else but stop sequences and lengths."""
    sampled = arguments.get("do_sample") or (arguments.get("temperature") or 0.0) > 0.0
    return not sampled and set(arguments) <= _PLAIN_ARGUMENTS


def greedy_settings(
    model: Any, device: torch.device, prompt: list[int], most: int, pad_token_id: int | None
) -> Greedy | None:
    """What the model's own generation settings add to plain arguments, None where decoding here does not support it.
    transformers is called with one of the prompts, as `hf` calls it."""
    found: Greedy | None = None

    def look(
        model: Any, input_ids: Tensor, logits_processor: LogitsProcessorList, generation_config: Any, **_: Any
    ) -> Tensor:
        nonlocal found
        if generation_config.get_generation_mode() == GenerationMode.GREEDY_SEARCH and all(
            isinstance(processor, _PROCESSORS) for processor in logits_processor
        ):
            end = generation_config.eos_token_id
            ends = {end} if isinstance(end, int) else set(end or ())
            found = Greedy(generation_config.max_length - len(prompt), ends, logits_processor)
        return input_ids

    model.generate(
        input_ids=torch.tensor([prompt], device=device),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long, device=device),
        max_length=len(prompt) + most,
        do_sample=False,
        pad_token_id=pad_token_id,
        custom_generate=look,
    )
    return found


def decode(
    model: TrieModel,
    memory: Memory,
    prompts: Sequence[list[int]],
    greedy: Greedy,
    stopping: Callable[[], StoppingCriteriaList],
    kept: Sequence[int],
    cache: Cache,
) -> Iterator[tuple[int, Generated]]:
    """The answer to each distinct prompt with the prompt's index, in the order that they end; `stopping` creates the
    stopping criteria of one answer. `kept`: how many first tokens of each prompt are to be kept in the cache's pool.

    Waiting prompts are read in the same forwards that generate: the next one takes the place of a row that has ended.
    """
    trie = Trie.of([prefix_trie.key(prompt) for prompt in prompts], [1] * len(prompts), kept, cache.pool)
    shared = min(segment.depth for segment in trie.segments[1:]) if len(prompts) > 1 else len(prompts[0])
    most_rows = memory.rows(model.position_bytes, max(map(len, prompts)) - shared + greedy.most)
    waiting = deque(
        (index, part, segment)
        for index, segment in zip(trie.order, trie.segments, strict=True)
        for part in prefix_trie.pieces(segment, memory.cluster)
    )
    rows = list[_Row]()
    while waiting or rows:
        parts, entering = _admitted(waiting, len(rows), most_rows, memory.tokens)
        begin, end = (parts[0].begin, parts[-1].end) if parts else (0, 0)
        tokens = np.concatenate([trie.tokens[begin:end], [row.generated[-1] for row in rows]]).astype(np.int64)
        depths = np.concatenate([trie.depths[begin:end], [shared + row.own for row in rows]]).astype(np.int64)
        ended = [part.end - 1 - begin for part in parts if part.slot is not None]
        keep = np.array([*range(end - begin, len(tokens)), *ended], np.int64)
        clusters, lengths = prefix_trie.clusters(parts, memory.cluster), [row.own for row in rows]
        slots = trie.slots[begin:end]
        logits = model.logits(cache, clusters, tokens, depths, keep, slots=slots, shared=shared, lengths=lengths)
        for row in rows:
            row.own += 1
        for index, segment in entering:
            prompt = prompts[index]
            rows.append(_Row(index, prompt, segment.end - segment.begin, len(prompt) - shared, stopping()))
        for row, token in zip(rows, _chosen(logits, rows, greedy), strict=True):
            row.generated.append(token)
        for slot in reversed(range(len(rows))):
            row = rows[slot]
            if row.has_ended(greedy):
                cache.move(len(rows) - 1, slot)
                rows[slot] = rows[-1]
                rows.pop()
                yield row.index, Generated(row.generated, row.added + len(row.generated) - 1)


def _admitted(
    waiting: deque[tuple[int, Piece, Segment]], rows: int, most_rows: int, most_tokens: int
) -> tuple[list[Piece], list[tuple[int, Segment]]]:
    """The pieces of waiting prompts to read in the next forward, and the prompts (index, segment) that are then
    complete: these become rows, in slots after the existing ones."""
    parts: list[Piece] = []
    entering: list[tuple[int, Segment]] = []
    while waiting and rows + len(entering) < most_rows:
        index, part, segment = waiting[0]
        if parts and part.end - parts[0].begin > most_tokens:
            break
        waiting.popleft()
        if part.end == segment.end:
            part = dataclasses.replace(part, slot=rows + len(entering))
            entering.append((index, segment))
        parts.append(part)
    return parts, entering


def _chosen(logits: Tensor, rows: Sequence[_Row], greedy: Greedy) -> list[int]:
    """Each row's next token."""
    if greedy.processors and rows:
        # Each row alone: processors look at all tokens so far, and padding would count among them.
        so_far = [torch.tensor([row.prompt + row.generated], device=logits.device) for row in rows]
        scores = logits.float().split(1)
        logits = torch.cat([greedy.processors(*row) for row in zip(so_far, scores, strict=True)])  # type: ignore[arg-type]
    chosen: list[int] = logits.argmax(dim=-1).tolist()
    return chosen
