"""The model as lm-eval sees it: every request that reaches it is answered inside an `inference` window.

Belongs here: where inference begins and ends, warm-up, and how fast the model is. What a window costs is the meter's
business, what an answer is worth is lm-eval's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM

from evaluators.energy import Ledger
from evaluators.engines import Engine, EngineFailed
from evaluators.forecast import Speed
from evaluators.harness import tokens_read
from evaluators.interruption import Interruption

_WARMUP_TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind. " * 8
_WARMUP_REQUESTS = 4
_WARMUP_TOKENS = 8


class _Tick:
    """lm-eval's cache hook is told of every request that is done: all that a progress bar needs."""

    def __init__(self, interruption: Interruption, tick: Callable[[], None]) -> None:
        self._interruption = interruption
        self._tick = tick

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        with self._interruption.not_now():  # the bar asks the meter for watts
            self._tick()


class MeteredLM(LM):
    """Hands requests on to the engine's model, and books the time to phases; `ask` is called before requests are
    answered, `tick` at each answer. A request cache is an EngineFailed."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        interruption: Interruption,
        tick: Callable[[], None],
        ask: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        if isinstance(engine.lm, CachingLM):
            raise EngineFailed(
                f"engine {engine.name} answers from lm-eval's request cache, whose keys leave the model out: another "
                "model's answers would land for no energy; hand over the model itself"
            )
        self._engine = engine
        self._ledger = ledger
        self._interruption = interruption
        self._ask = ask
        engine.lm.set_cache_hook(_Tick(interruption, tick))

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        return self._answer(self._engine.lm.loglikelihood, requests)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        return self._answer(self._engine.lm.loglikelihood_rolling, requests)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        return self._answer(self._engine.lm.generate_until, requests)

    def _answer(self, method: Callable[..., Any], requests: list[Instance]) -> Any:
        self._ask()
        self._ledger.switch("inference")
        with self._interruption.at_once():
            answers = method(requests, disable_tqdm=True)
            self._engine.synchronize()
        self._ledger.switch("scoring")
        return answers

    @property
    def tokenizer_name(self) -> str:
        return self._engine.lm.tokenizer_name

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        return self._engine.lm.chat_template(chat_template)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self._engine.lm.apply_chat_template(chat_history, add_generation_prompt)


def warm_up(engine: Engine) -> Speed:
    """Answer a few made-up requests twice; the first time pays for what is slow only once, the second is timed."""
    lm, arguments = engine.lm, {"until": [], "max_gen_toks": _WARMUP_TOKENS}
    # Other texts each time: an engine that keeps its cache would not read them.
    for to_read, to_go_on_with in ((0, 1), (2, 3)):
        asked = _warmup("loglikelihood", " fox", to_read)
        read_s = _timed(engine, partial(lm.loglikelihood, asked, disable_tqdm=True))
        begun = _warmup("generate_until", arguments, to_go_on_with)
        generate_s = _timed(engine, partial(lm.generate_until, begun, disable_tqdm=True))
    read = sum(tokens_read(request.args, lm) for request in asked)
    # Generating reads the prompt first, which is subtracted.
    generate_s = max(generate_s - read_s, generate_s / 10)
    return Speed(read / read_s, _WARMUP_REQUESTS * _WARMUP_TOKENS / generate_s)


def _warmup(kind: str, argument: Any, number: int) -> list[Instance]:
    # Different lengths, as real requests have them, and other first words for each number.
    return [
        Instance(request_type=kind, doc={}, arguments=(_WARMUP_TEXT[(4 * i + number) * 7 :], argument), idx=i)
        for i in range(_WARMUP_REQUESTS)
    ]


def _timed(engine: Engine, work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    engine.synchronize()
    return time.perf_counter() - started
