"""The shared-prefix engine: lm-eval's answers, with every distinct prefix of a task's requests computed once.

Registered with lm-eval as `shared-prefix`. It is lm-eval's `hf` in all that decides about answers (tokenizer,
truncation, chat template, softmax, stop sequences) and differs in what it forwards: a depth-first walk over the token
trie of all requests (`prefix_trie`), unpadded, with vocabulary logits only where a continuation's token is predicted.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from lm_eval.models.utils_hf import stop_sequences_criteria
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessorList, StoppingCriteriaList

from evaluators.engines import Engine, TokenCounts, prefix_trie, transformers, tree_attention
from evaluators.engines.prefix_trie import Piece, Trie

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Tokens = NDArray[np.int32]

NAME = "shared-prefix"
VERSION = 1  # part of the comparability key: raise it with every change that changes answers or their cost
LARGEST_CLUSTER = 256  # tokens that attend in one call
MOST_TOKENS = 1024  # tokens a forward; more was not faster on a CPU
MOST_ROWS = 32  # answers that are generated side by side
FEWEST_TOKENS = 16  # where memory does not even suffice for these, halving goes no further
_MEMORY_SHARE = 0.5  # of the free memory, where no budget is given
_ATTENTIONS = {"full_attention", "sliding_attention"}
_PLAIN_ARGUMENTS = {"until", "do_sample", "temperature", "max_gen_toks"}
_TOLERANCE = {torch.float32: 1e-3}  # of log-probabilities in the check at load; half precision has noise of its own
_TOLERANCE_HALF = 1.0


@dataclass
class Accounting:
    """Tokens since the last look, as TokenCounts names them. Nothing is ever padded here."""

    unshared: int = 0
    computed: int = 0
    distinct: int = 0


def load(path: Path, *, dtype: str, device: str, batch_size: int) -> Engine:
    """Load a local folder of safetensors. `batch_size` is `hf`'s, where a model is left to it."""
    lm = transformers.open_model(SharedPrefixLM, path, dtype=dtype, device=device, batch_size=batch_size)
    if lm.fallback_reason is not None:
        return dataclasses.replace(transformers.engine_of(lm, batch_size), reason=lm.fallback_reason)
    return transformers.engine(lm, NAME, f"{lm.budget.tokens} tokens", lm.counted, VERSION)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be in memory at once: tokens of a forward, positions with vocabulary logits, generated rows."""

    tokens: int
    logits: int
    cache_bytes: int

    def halved(self) -> Budget:
        return Budget(self.tokens // 2, max(1, self.logits // 2), self.cache_bytes // 2)


@dataclass
class _Row:
    """An answer that is being generated. `own`: positions of it in the cache, beyond what all rows share."""

    index: int
    prompt: list[int]
    own: int
    stop: StoppingCriteriaList
    generated: list[int] = dataclasses.field(default_factory=list)


@register_model(NAME)
class SharedPrefixLM(HFLM):
    """lm-eval's `hf` with shared prefixes computed once. `memory_gib` bounds its caches and logits (None: half of what
    is free). `fallback_reason` says why a model is answered by `hf` itself, None where it is not."""

    def __init__(self, *args: Any, memory_gib: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._encode_context = functools.lru_cache(maxsize=16)(
            lambda context: np.array(self.tok_encode(context), dtype=np.int32)
        )
        self.accounting = Accounting()
        self.fallback_reason = self._unsupported()
        if self.fallback_reason is None:
            free = _free_bytes(self.device) * _MEMORY_SHARE if memory_gib is None else memory_gib * 2**30
            self.budget = self._budget(int(free))
            self.fallback_reason = self._differs()
        if self.fallback_reason is not None:
            _log.warning("%s; lm-eval's hf answers instead", self.fallback_reason)

    def counted(self) -> TokenCounts:
        """The tokens since the last look."""
        seen, self.accounting = self.accounting, Accounting()
        return TokenCounts(computed=seen.computed, padding=0, unshared=seen.unshared, distinct=seen.distinct)

    def _encode_pair(self, context: str, continuation: str) -> tuple[Any, Any]:
        """As lm-eval, but a document's context is encoded once for all its choices, and kept as an array: ten thousand
        contexts of thousands of tokens are gigabytes as Python's integers."""
        if self.fallback_reason is not None:
            return super()._encode_pair(context, continuation)
        start = self._encode_context(context.rstrip())  # spaces at the end belong to the continuation
        whole = np.array(self.tok_encode(context + continuation), dtype=np.int32)
        return start, whole[len(start) :].copy()

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """As `hf`, but all windows of all requests are answered together."""
        if self.fallback_reason is not None:
            return super().loglikelihood_rolling(requests, disable_tqdm)
        windows = [
            [
                (None, *make_disjoint_window(window))
                for window in get_rolling_token_windows(
                    token_list=self.tok_encode(request.args[0]),
                    prefix_token=self.prefix_token_id,
                    max_seq_len=self.max_length,
                    context_len=1,
                )
            ]
            for request in requests
        ]
        answers = iter(self._loglikelihood_tokens([window for several in windows for window in several]))
        totals = [sum(next(answers)[0] for _ in several) for several in windows]
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _loglikelihood_tokens(
        self, requests: Sequence[Any], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        if self.fallback_reason is not None:
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        continuations = [continuation for _, _, continuation in requests]
        for continuation in continuations:
            if not 0 < len(continuation) <= self.max_length:
                raise ValueError(
                    f"a continuation has {len(continuation)} tokens; the model reads 1 to {self.max_length}"
                )
        # As `hf` truncates: from the left, and the last token is predicted, not read.
        keys = [
            prefix_trie.key(np.concatenate((context, continuation))[-(self.max_length + 1) :][:-1])
            for _, context, continuation in requests
        ]
        answers: dict[int, tuple[float, bool]] = {}
        with self._own_attention():
            for index, answer in self._with_less_memory(
                lambda left: self._score([keys[i] for i in left], [continuations[i] for i in left]), len(requests)
            ):
                answers[index] = answer
                if requests[index][0] is not None:
                    self.cache_hook.add_partial("loglikelihood", requests[index][0], answer)
        return [answers[index] for index in range(len(requests))]

    def _score(
        self, keys: Sequence[bytes], continuations: Sequence[Tokens]
    ) -> Iterator[tuple[int, tuple[float, bool]]]:
        """(index, (log-likelihood, is it the greedy one)) of each continuation; keys are of what is read."""
        trie = Trie.of(keys, [len(continuation) for continuation in continuations])
        self._account(trie)
        nodes, targets = np.concatenate(trie.tails), np.concatenate(continuations)
        by_node = np.argsort(nodes, kind="stable")
        wanted = np.unique(nodes)
        log_probabilities: Tensor | None = None
        greedy = torch.empty(len(nodes), dtype=torch.bool)
        bounds = np.cumsum([0, *map(len, continuations)])
        cache, answered = tree_attention.Cache(), 0
        for parts in self._forwards(trie, wanted):
            begin, end = parts[0].begin, parts[-1].end
            here = wanted[slice(*np.searchsorted(wanted, (begin, end)))]
            logits = self._forward(
                trie.tokens[begin:end], trie.depths[begin:end], self._step(cache, parts), here - begin
            )
            scores = torch.log_softmax(logits, dim=-1, dtype=self.softmax_dtype)
            asked = by_node[slice(*np.searchsorted(nodes, (begin, end), sorter=by_node))]
            at = torch.from_numpy(np.searchsorted(here, nodes[asked])).to(self.device)
            target = torch.from_numpy(targets[asked]).to(self.device)
            if log_probabilities is None:
                log_probabilities = torch.empty(len(nodes), dtype=scores.dtype)
            log_probabilities[asked] = scores[at, target].cpu()
            greedy[asked] = (scores.argmax(dim=-1)[at] == target).cpu()
            while answered < len(trie.order) and trie.segments[answered].end <= end:
                index = trie.order[answered]
                own = slice(bounds[index], bounds[index + 1])
                yield index, (float(log_probabilities[own].sum()), bool(greedy[own].all()))
                answered += 1

    def _forwards(self, trie: Trie, wanted: prefix_trie.Ints) -> Iterator[list[Piece]]:
        """The trie's pieces, as many at a time as the budget allows. `wanted` are the nodes that logits are for."""
        parts: list[Piece] = []
        longest = min(LARGEST_CLUSTER, self.budget.tokens, self.budget.logits)
        for segment in trie.segments:
            for part in prefix_trie.pieces(segment, longest):
                if parts:
                    begin = parts[0].begin
                    logits = np.diff(np.searchsorted(wanted, (begin, part.end)))[0]
                    if part.end - begin > self.budget.tokens or logits > self.budget.logits:
                        yield parts
                        parts = []
                parts.append(part)
        if parts:
            yield parts

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """As `hf`. Whatever is not plain greedy decoding is left to it."""
        groups: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault(repr(request.args[1]), []).append(index)
        answers: dict[int, str] = {}
        for members in groups.values():
            several = [requests[index] for index in members]
            if self.fallback_reason is not None or not _is_plain(several[0].args[1]):
                texts = super().generate_until(several, disable_tqdm)
            else:
                texts = self._generate(several)
            answers |= dict(zip(members, texts, strict=True))
        return [answers[index] for index in range(len(requests))]

    def _generate(self, requests: Sequence[Instance]) -> list[str]:
        """Answers to requests that have their arguments in common."""
        arguments = normalize_gen_kwargs(requests[0].args[1], self.max_gen_toks)
        most = arguments["max_gen_toks"]
        until = handle_stop_sequences(arguments["until"], eos=self.tok_decode(self.eot_token_id, False))
        if self.max_length <= most:
            raise ValueError(
                f"max_gen_toks {most} leaves no room for a prompt: the model reads {self.max_length} tokens in all"
            )
        prompts = [
            self.tok_batch_encode([r.args[0]], left_truncate_len=self.max_length - most, truncation=self.truncation)
            for r in requests
        ]
        askers: dict[tuple[int, ...], list[int]] = {}
        for index, (tokens, _) in enumerate(prompts):
            askers.setdefault(tuple(tokens[0].tolist()) or (self.prefix_token_id,), []).append(index)
        distinct = [list(prompt) for prompt in askers]
        texts: dict[int, str] = {}

        def decode(
            model: Any,
            input_ids: Tensor,
            logits_processor: LogitsProcessorList,
            stopping_criteria: StoppingCriteriaList,
            generation_config: Any,
            **_: Any,
        ) -> Tensor:
            end = generation_config.eos_token_id
            ends = {end} if isinstance(end, int) else set(end or ())
            for index, tokens in self._with_less_memory(
                lambda left: self._decode([distinct[i] for i in left], most, until, ends, logits_processor),
                len(distinct),
            ):
                for asker in askers[tuple(distinct[index])]:
                    texts[asker] = self._as_text(tokens, until)
                    self.cache_hook.add_partial("generate_until", requests[asker].args, texts[asker])
            return input_ids

        # transformers knows what the model's own generation settings ask for (ends, penalties); decoding is ours.
        with self._own_attention():
            self.model.generate(
                input_ids=torch.tensor([distinct[0]], device=self.device),
                attention_mask=torch.ones(1, len(distinct[0]), dtype=torch.long, device=self.device),
                max_new_tokens=most,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                custom_generate=decode,
            )
        return [texts[index] for index in range(len(requests))]

    def _decode(
        self,
        prompts: Sequence[list[int]],
        most: int,
        until: list[str],
        ends: set[int],
        processors: LogitsProcessorList,
    ) -> Iterator[tuple[int, list[int]]]:
        """(index, generated tokens) of each of the distinct prompts, as they end. Prompts that wait are read in the
        same forwards that generate: a row that has ended leaves, and the next takes its place."""
        trie = Trie.of([prefix_trie.key(prompt) for prompt in prompts], [1] * len(prompts))
        self._account(trie)
        shared = min(segment.depth for segment in trie.segments[1:]) if len(prompts) > 1 else len(prompts[0])
        most_rows = self._most_rows(max(map(len, prompts)) - shared + most)
        longest = min(LARGEST_CLUSTER, self.budget.tokens)
        waiting = deque(
            (index, part, part.end == segment.end)
            for index, segment in zip(trie.order, trie.segments, strict=True)
            for part in prefix_trie.pieces(segment, longest)
        )
        cache, rows = tree_attention.Cache(), list[_Row]()
        while waiting or rows:
            parts: list[Piece] = []
            entering: list[_Row] = []
            read = 0
            while waiting and len(rows) + len(entering) < most_rows:
                index, part, is_last = waiting[0]
                if parts and read + part.end - part.begin > self.budget.tokens:
                    break
                waiting.popleft()
                read += part.end - part.begin
                if is_last:
                    part = dataclasses.replace(part, slot=len(rows) + len(entering))
                    stop = stop_sequences_criteria(self.tokenizer, until, 0, 1)
                    entering.append(_Row(index, prompts[index], len(prompts[index]) - shared, stop))
                parts.append(part)
            begin, end = (parts[0].begin, parts[-1].end) if parts else (0, 0)
            tokens = np.concatenate([trie.tokens[begin:end], [row.generated[-1] for row in rows]]).astype(np.int64)
            depths = np.concatenate([trie.depths[begin:end], [shared + row.own for row in rows]]).astype(np.int64)
            ended = [part.end - 1 - begin for part in parts if part.slot is not None]
            step = self._step(cache, parts, shared, [row.own for row in rows])
            logits = self._forward(tokens, depths, step, np.array([*range(read, read + len(rows)), *ended], np.int64))
            for row in rows:
                row.own += 1
            rows += entering
            if not rows:
                continue
            if processors:
                logits = processors(self._left_padded(rows), logits.float())  # type: ignore[arg-type]
            for row, token in zip(rows, logits.argmax(dim=-1).tolist(), strict=True):
                row.generated.append(token)
            for slot in reversed(range(len(rows))):
                row = rows[slot]
                stopped = row.stop(torch.tensor([row.generated]), None)
                if row.generated[-1] in ends or len(row.generated) == most or bool(torch.as_tensor(stopped).all()):
                    cache.move(len(rows) - 1, slot)
                    rows[slot] = rows[-1]
                    rows.pop()
                    self.accounting.unshared += len(row.generated) - 1
                    self.accounting.distinct += len(row.generated) - 1
                    yield row.index, row.generated

    def _as_text(self, tokens: list[int], until: list[str]) -> str:
        """An answer as `hf` cuts it out of what was generated."""
        if isinstance(self.think_end_token, int) and self.think_end_token in tokens:
            tokens = tokens[len(tokens) - tokens[::-1].index(self.think_end_token) :]
        text = self.tok_decode(tokens)
        if isinstance(self.think_end_token, int):
            text = text.lstrip()
        return postprocess_generated_text(
            generation=text,
            stop=until,
            think_end_token=self.think_end_token if isinstance(self.think_end_token, str) else None,
        )

    def _left_padded(self, rows: Sequence[_Row]) -> Tensor:
        """All rows' tokens so far, as transformers' logits processors want them."""
        texts = [row.prompt + row.generated for row in rows]
        longest = max(map(len, texts))
        pad = self.tokenizer.pad_token_id
        return torch.tensor([[pad] * (longest - len(text)) + text for text in texts], device=self.device)

    def _step(
        self, cache: tree_attention.Cache, parts: Sequence[Piece], shared: int = 0, lengths: Sequence[int] = ()
    ) -> tree_attention.Step:
        clusters = prefix_trie.clusters(parts, min(LARGEST_CLUSTER, self.budget.tokens))
        return tree_attention.Step(cache, clusters, self.model.dtype, self.device, shared=shared, lengths=lengths)

    @torch.inference_mode()
    def _forward(
        self, tokens: prefix_trie.Ints, positions: prefix_trie.Ints, step: tree_attention.Step, keep: prefix_trie.Ints
    ) -> Tensor:
        """Vocabulary logits [positions kept, vocabulary] of one forward over tokens of many branches."""
        ids, places, kept = (torch.from_numpy(x).to(self.device) for x in (tokens, positions, keep))
        self.accounting.computed += len(tokens)
        with torch.autocast(
            self.device.type, dtype=self.mixed_precision_dtype, enabled=self.mixed_precision_dtype is not None
        ):
            out = self.model(
                input_ids=ids[None], position_ids=places[None], use_cache=False, logits_to_keep=kept, step=step
            )
        return out.logits[0]

    def _account(self, trie: Trie) -> None:
        # `hf` answers continuations that differ in their last token only together: it forwards distinct sequences.
        distinct = [segment for segment in trie.segments if segment.end > segment.begin]
        self.accounting.unshared += sum(segment.depth + segment.end - segment.begin for segment in distinct)
        self.accounting.distinct += len(trie.tokens)

    def _with_less_memory(
        self, work: Callable[[list[int]], Iterator[tuple[int, Answer]]], number: int
    ) -> Iterator[tuple[int, Answer]]:
        """What `work` yields for the indices up to `number`; where memory runs out, the rest with half the budget."""
        left = list(range(number))
        while left:
            done = set()
            try:
                for position, answer in work(left):
                    done.add(position)
                    yield left[position], answer
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error) or self.budget.tokens <= FEWEST_TOKENS:
                    raise
                self.budget = self.budget.halved()
                _log.warning("out of memory; going on with %d tokens a forward", self.budget.tokens)
                gc.collect()
            left = [index for position, index in enumerate(left) if position not in done]

    @contextmanager
    def _own_attention(self) -> Iterator[None]:
        """The model with attention over token tries; `hf` finds its own again afterwards."""
        usual = self.model.config._attn_implementation
        self.model.set_attn_implementation(tree_attention.NAME)
        try:
            yield
        finally:
            self.model.set_attn_implementation(usual)

    def _unsupported(self) -> str | None:
        """Why this model cannot be answered by shared prefixes, as far as its configuration tells."""
        name = type(self.model).__name__
        config = self.model.config.get_text_config()
        if self.backend != "causal":
            return f"{name} is an encoder-decoder model"
        if not self.model._can_set_attn_implementation():
            return f"{name} does not take its attention from transformers' AttentionInterface"
        kinds = set(getattr(config, "layer_types", None) or ()) - _ATTENTIONS
        if kinds:
            return f"{name} has layers of the kinds {', '.join(sorted(kinds))}"
        if getattr(config, "num_kv_shared_layers", None):
            return f"{name} shares keys and values between layers"
        if not self.model._supports_logits_to_keep():
            return f"{name} computes vocabulary logits for all positions"
        return None

    def _differs(self) -> str | None:
        """Why this model cannot be answered by shared prefixes, as a small trie of made-up tokens tells."""
        name = type(self.model).__name__
        rng = np.random.default_rng(0)
        draw = lambda n: rng.integers(0, self.model.config.get_text_config().vocab_size, n).tolist()  # noqa: E731
        stem, branch = draw(9), draw(6)
        sequences = [stem + draw(5), stem + branch, stem + branch + draw(4), stem + draw(1), draw(7)]
        continuations = [draw(3) for _ in sequences]
        with torch.inference_mode():
            expected = [
                super(SharedPrefixLM, self)._loglikelihood_tokens([(None, s, c)], True, 1)[0][0]
                for s, c in zip(sequences, continuations, strict=True)
            ]
        try:
            found = self._loglikelihood_tokens(
                [(None, s, c) for s, c in zip(sequences, continuations, strict=True)], disable_tqdm=True
            )
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            return (
                f"{type(self.model).__name__} cannot be asked about shared prefixes ({type(error).__name__}: {error})"
            )
        finally:
            self.accounting = Accounting()
        worst = max(abs(one - two) for (one, _), two in zip(found, expected, strict=True))
        if not worst <= _TOLERANCE.get(self.model.dtype, _TOLERANCE_HALF):
            return f"{name} answers otherwise with shared prefixes (by {worst:.2g} in a check at load)"
        return None

    def _budget(self, memory_bytes: int) -> Budget:
        """A quarter of the memory each for a forward's activations and for logits, half for keys and values."""
        config = self.model.config.get_text_config()
        size = self.model.dtype.itemsize
        # Per token: the residual stream a few times, the widest layer three times.
        widest = max(getattr(config, "intermediate_size", None) or 0, 4 * config.hidden_size)
        tokens = memory_bytes // 4 // ((8 * config.hidden_size + 3 * widest) * size)
        logits = memory_bytes // 4 // (config.vocab_size * (2 * size + 4))
        return Budget(
            tokens=max(FEWEST_TOKENS, min(MOST_TOKENS, tokens)),
            logits=max(1, min(MOST_TOKENS, logits)),
            cache_bytes=memory_bytes // 2,
        )

    def _most_rows(self, positions: int) -> int:
        """How many rows of so many positions of their own fit."""
        config = self.model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        row = 2 * config.num_hidden_layers * heads * size * positions * self.model.dtype.itemsize
        return max(1, min(MOST_ROWS, self.budget.cache_bytes // row))


def _is_plain(arguments: dict[str, Any]) -> bool:
    """Greedy decoding, with nothing but an end."""
    sampled = arguments.get("do_sample") or (arguments.get("temperature") or 0.0) > 0.0
    return not sampled and set(arguments) <= _PLAIN_ARGUMENTS


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _is_out_of_memory(error: RuntimeError) -> bool:
    # On a CPU torch has no type of its own for it.
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
