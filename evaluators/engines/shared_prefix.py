"""The shared-prefix engine: lm-eval's answers, with every distinct prefix of a task's requests computed once.

Registered with lm-eval as `shared-prefix`. It is lm-eval's `hf` in everything that affects answers (tokenizer,
truncation, chat template, softmax, stop sequences) and differs in what it forwards: a depth-first walk over the token
trie of all requests (`prefix_trie`), unpadded, with vocabulary logits only where a continuation's token is predicted.

Belongs here: lm-eval's requests and their answers, and what is left to `hf`. Does not belong here: how an answer is
computed (`likelihood`, `decoding`).
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
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
from transformers import StoppingCriteriaList

from evaluators.engines import Engine, TokenCounts, compatibility, prefix_trie, transformers
from evaluators.engines.decoding import decode, greedy_settings, is_plain
from evaluators.engines.kept import Keeper, Kept
from evaluators.engines.likelihood import score
from evaluators.engines.memory import FEWEST_TOKENS, Memory, free_bytes, is_out_of_memory
from evaluators.engines.tree_attention import Cache
from evaluators.engines.trie_model import TrieModel

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

NAME = "shared-prefix"
VERSION = 2  # part of the comparability key: raise it with every change that changes answers or their cost
_MEMORY_SHARE = 0.5  # of the free memory, where `memory_gib` is not given


@dataclass
class Accounting:
    """Tokens of the answers since the last `counted`, named as in TokenCounts. `by_hf`: `hf` answered some of the
    requests, and its tokens cannot be split."""

    unshared: int = 0
    distinct: int = 0
    by_hf: bool = False


def load(path: Path, *, dtype: str, device: str, batch_size: int) -> Engine:
    """Load a local folder of safetensors. `batch_size` applies only where a model is left to `hf`."""
    lm = transformers.open_model(SharedPrefixLM, path, dtype=dtype, device=device, batch_size=batch_size)
    if lm.fallback_reason is not None:
        return dataclasses.replace(transformers.engine_of(lm, batch_size), reason=lm.fallback_reason)
    engine = transformers.engine(lm, NAME, f"{lm.memory.tokens} tokens", lm.counted, VERSION)
    return dataclasses.replace(engine, shares_prefixes=True, keeps=lm.keeps)


@register_model(NAME)
class SharedPrefixLM(HFLM):
    """lm-eval's `hf` with shared prefixes computed once. `memory_gib` limits its caches and logits (None: half of the
    free memory). `fallback_reason` says why `hf` itself answers, None where it does not."""

    def __init__(self, *args: Any, memory_gib: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._encode_context = functools.lru_cache(maxsize=16)(
            lambda context: np.array(self.tok_encode(context), dtype=np.int32)
        )
        self.accounting = Accounting()
        self._keeper = Keeper()
        self._forwarded = transformers.forwarded(self.model)
        self.fallback_reason: str | None = None
        try:
            self.fallback_reason = self._set_up(memory_gib)
        except Exception as error:  # whatever an architecture raises in the check, `hf` can answer
            name, sentence = type(self.model).__name__, (str(error).strip().splitlines() or [""])[0]
            self.fallback_reason = f"{name} fails the check for shared prefixes ({type(error).__name__}: {sentence})"
        self.counted()  # resets the counts: the check's tokens belong to no request
        if self.fallback_reason is not None:
            _log.warning("%s; lm-eval's hf answers instead", self.fallback_reason)

    def _set_up(self, memory_gib: float | None) -> str | None:
        """Prepare to answer with shared prefixes; returns the reason where the model does not support them."""
        reason = compatibility.unsupported(self.model, self.backend)
        if reason is not None:
            return reason
        self._longest = compatibility.longest(self.model.config.get_text_config())
        self._trie_model = TrieModel(self.model, self.device, self.mixed_precision_dtype)
        free = free_bytes(self.device) * _MEMORY_SHARE if memory_gib is None else memory_gib * 2**30
        self.memory = Memory.of(self._trie_model.config, self._trie_model.dtype, int(free))
        return compatibility.differs(self.model, self)

    # For the check at load; see `compatibility.Asked`.

    def hf_scores(self, requests: compatibility.Requests) -> compatibility.Answers:
        return super()._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=1)

    def our_scores(self, requests: compatibility.Requests) -> compatibility.Answers:
        return self._loglikelihood_tokens(requests, disable_tqdm=True)

    def hf_generates(self, prompts: list[list[int]], most: int) -> compatibility.Generated:
        ids = torch.tensor(prompts, device=self.device)
        with torch.autocast(
            self.device.type, dtype=self.mixed_precision_dtype, enabled=self.mixed_precision_dtype is not None
        ):
            out = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=most,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_scores=True,
            )
        return out.sequences[:, ids.shape[1] :].tolist(), torch.stack(out.scores, dim=1)

    def we_generate(self, prompts: list[list[int]], most: int) -> list[list[int]] | None:
        greedy = greedy_settings(self.model, self.device, prompts[0], most, self.tokenizer.pad_token_id)
        if greedy is None:
            return None
        greedy = dataclasses.replace(greedy, most=min(greedy.most, most))
        with self._trie_model.own_attention():
            found = dict(decode(self._trie_model, self.memory, prompts, greedy, StoppingCriteriaList, [], Cache()))
        return [found[index].tokens for index in range(len(prompts))]

    def keeps(self, requests: Sequence[Instance]) -> AbstractContextManager[None]:
        """See `Engine.keeps`. The requests' texts are compared, not tokenized: most of them may never be asked."""
        return self._keeper.keeping(request.args[0] for request in requests)

    def counted(self) -> TokenCounts:
        """The tokens since the last call."""
        computed = self._forwarded().computed
        seen, self.accounting = self.accounting, Accounting()
        if seen.by_hf:
            return TokenCounts(computed=computed)
        return TokenCounts(computed=computed, padding=0, unshared=seen.unshared, distinct=seen.distinct)

    def _encode_pair(self, context: str, continuation: str) -> tuple[Any, Any]:
        """Like lm-eval's, but a document's context is encoded once for all its choices and kept as an array: as Python
        integers, ten thousand contexts of thousands of tokens take gigabytes."""
        if self.fallback_reason is not None:
            return super()._encode_pair(context, continuation)
        start = self._encode_context(context.rstrip())  # spaces at the end belong to the continuation
        whole = np.array(self.tok_encode(context + continuation), dtype=np.int32)
        return start, whole[len(start) :].copy()

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Like `hf`, but answers all windows of all requests together."""
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
        for _, context, continuation in requests:
            if len(context) == 0 or not 0 < len(continuation) <= self.max_length:
                raise ValueError(
                    f"cannot score {len(continuation)} tokens after {len(context)}: a continuation needs a context and "
                    f"has at least one token, and at most {self.max_length}, which the model can read"
                )
        continuations = [continuation for _, _, continuation in requests]
        # Truncated as in `hf`, from the left; the last token is predicted, not read.
        keys = [
            prefix_trie.key(np.concatenate((context, continuation))[-(self.max_length + 1) :][:-1])
            for _, context, continuation in requests
        ]
        longest = max((len(context) + len(continuation) - 1 for _, context, continuation in requests), default=0)
        if min(longest, self.max_length) > self._longest:
            self.accounting.by_hf = True
            lists = [(asker, list(context), list(continuation)) for asker, context, continuation in requests]
            return super()._loglikelihood_tokens(lists, disable_tqdm, override_bs)
        for _, context, continuation in requests:
            if (length := len(context) + len(continuation)) > self.max_length + 1:
                _log.warning(  # in the words of `hf`
                    "Combined length of context (%d) and continuation (%d) exceeds model's maximum length (%d). "
                    "Truncating %d tokens from the left.",
                    *(len(context), len(continuation), self.max_length, length - self.max_length - 1),
                )
        answers: dict[int, tuple[float, bool]] = {}
        with self._trie_model.own_attention():
            for index, found in self._with_less_memory(
                # Rolling windows have no asker, and what is cut from the left begins elsewhere.
                [
                    (asker[0], len(context))
                    if asker and len(context) + len(continuation) <= self.max_length + 1
                    else ("", 0)
                    for asker, context, continuation in requests
                ],
                lambda left, kept, cache: score(
                    self._trie_model,
                    self.memory,
                    self.softmax_dtype,
                    [keys[i] for i in left],
                    [continuations[i] for i in left],
                    kept,
                    cache,
                ),
            ):
                self.accounting.unshared += found.unshared
                self.accounting.distinct += found.distinct
                answers[index] = (found.log_likelihood, found.is_greedy)
                if requests[index][0] is not None:
                    self.cache_hook.add_partial("loglikelihood", requests[index][0], answers[index])
        return [answers[index] for index in range(len(requests))]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Like `hf`, which also answers everything that is not plain greedy decoding."""
        groups: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault(repr(request.args[1]), []).append(index)
        answers: dict[int, str] = {}
        for members in groups.values():
            several = [requests[index] for index in members]
            texts = None
            if self.fallback_reason is None and is_plain(several[0].args[1]):
                texts = self._generate(several)
            if texts is None:
                self.accounting.by_hf = True
                texts = super().generate_until(several, disable_tqdm)
            answers |= dict(zip(members, texts, strict=True))
        return [answers[index] for index in range(len(requests))]

    def _generate(self, requests: Sequence[Instance]) -> list[str] | None:
        """Answers to requests with the same arguments, None where `hf` has to answer them."""
        arguments = normalize_gen_kwargs(requests[0].args[1], self.max_gen_toks)
        most = arguments["max_gen_toks"]
        until = handle_stop_sequences(arguments["until"], eos=self.tok_decode(self.eot_token_id, False))
        if self.max_length <= most:
            raise ValueError(
                f"max_gen_toks {most} leaves no room for a prompt: the model reads {self.max_length} tokens in total"
            )
        prompts = [
            self.tok_batch_encode([r.args[0]], left_truncate_len=self.max_length - most, truncation=self.truncation)
            for r in requests
        ]
        askers: dict[tuple[int, ...], list[int]] = {}
        for index, (tokens, _) in enumerate(prompts):
            askers.setdefault(tuple(tokens[0].tolist()) or (self.prefix_token_id,), []).append(index)
        distinct = [list(prompt) for prompt in askers]
        greedy = greedy_settings(self.model, self.device, distinct[0], most, self.tokenizer.pad_token_id)
        if greedy is None or max(map(len, distinct)) + greedy.most > self._longest:
            return None
        stopping = functools.partial(stop_sequences_criteria, self.tokenizer, until, 0, 1)
        texts: dict[int, str] = {}
        with self._trie_model.own_attention():
            for index, found in self._with_less_memory(
                [
                    (requests[several[0]].args[0], len(prompt)) if len(prompt) < self.max_length - most else ("", 0)
                    for prompt, several in askers.items()
                ],
                lambda left, kept, cache: decode(
                    self._trie_model,
                    self.memory.beside(self._keeper.bytes + cache.pool_bytes),
                    [distinct[i] for i in left],
                    greedy,
                    stopping,
                    kept,
                    cache,
                ),
            ):
                self.accounting.distinct += found.distinct
                for asker in askers[tuple(distinct[index])]:
                    self.accounting.unshared += len(distinct[index]) + len(found.tokens) - 1
                    texts[asker] = self._as_text(found.tokens, until)
                    self.cache_hook.add_partial("generate_until", requests[asker].args, texts[asker])
        return [texts[index] for index in range(len(requests))]

    def _as_text(self, tokens: list[int], until: list[str]) -> str:
        """The answer as `hf` extracts it from the generated tokens."""
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

    def _with_less_memory(
        self,
        contexts: Sequence[tuple[str, int]],
        work: Callable[[list[int], list[int], Cache], Iterator[tuple[int, Answer]]],
    ) -> Iterator[tuple[int, Answer]]:
        """What `work` yields for the indices of contexts (a text and its number of tokens), how much of each is to be
        kept, and a cache; where memory runs out, the rest with half the memory."""
        tasks = [self._keeper.task(text) for text, _ in contexts]
        for task in dict.fromkeys(tasks):
            left = [index for index, other in enumerate(tasks) if other is task]
            shared = functools.cache(functools.partial(self._shared, task))
            while left:
                done = set()
                kept = [shared(*contexts[index]) for index in left]
                try:
                    with self._keeper.cache(
                        task, self.memory.most_kept_bytes, self._trie_model.position_bytes
                    ) as cache:
                        for position, answer in work(left, kept, cache):
                            done.add(position)
                            yield left[position], answer
                except RuntimeError as error:
                    if not is_out_of_memory(error) or self.memory.tokens <= FEWEST_TOKENS:
                        raise
                    self.memory = self.memory.halved()
                    _log.warning("out of memory; continuing with %d tokens per forward", self.memory.tokens)
                    self._keeper.drop()
                    gc.collect()
                left = [index for position, index in enumerate(left) if position not in done]

    def _shared(self, task: Kept | None, text: str, tokens: int) -> int:
        """How many first tokens of a context others of its task have as well, or one more."""
        if task is None:
            return 0
        rest = self.tok_encode(text[task.shared(text) :], add_special_tokens=False)
        return max(0, tokens - len(rest) + 1)
