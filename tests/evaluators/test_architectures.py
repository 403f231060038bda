"""Every causal architecture of the installed transformers is answered as by lm-eval's `hf`, or left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer

from evaluators.engines.shared_prefix import SharedPrefixLM
from tests.support import architectures, tiny_models
from tests.support.equivalence import assert_equal, assert_near

TEXT = tiny_models.TEXT
STARTS = [TEXT[:60], TEXT[:90], TEXT[:90] + " grass", "four", TEXT[30:75]]
MADE = [kind for kind in architectures.kinds() if kind not in architectures.NOT_SMALL]

# `hf` itself cannot answer these as lm-eval asks them.
HF_FAILS = {"blt": "num_hidden_layers", "prophetnet": "position_ids", "xmod": "language"}
# Answered by shared prefixes, so that a check that refuses too much is seen.
OURS = {
    *(
        "llama",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "gemma3_text",
        "gemma3n_text",
        "gemma4_text",
        "gpt_neox",
        "gpt_oss",
    ),
    *(
        "phi",
        "phi3",
        "phimoe",
        "mistral",
        "mixtral",
        "gpt2",
        "opt",
        "olmo2",
        "olmoe",
        "cohere2",
        "smollm3",
        "qwen3_moe",
    ),
    *("deepseek_v3", "granite", "glm4", "exaone4", "ministral3", "modernbert-decoder", "ernie4_5", "starcoder2"),
}


def asked(kind: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, each, index) for index, each in enumerate(arguments)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    tiny_models.save_tokenizer(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_every_architecture_is_swept_or_has_a_reason() -> None:
    """transformers 5.23 has 181 of them."""
    assert len(MADE) >= 170
    assert set(architectures.NOT_SMALL) <= set(architectures.kinds())
    assert set(MADE) >= OURS


@pytest.mark.slow
@pytest.mark.parametrize("kind", MADE)
def test_an_architecture_is_answered_as_by_hf_or_left_to_it(kind: str, tokenizer: Any) -> None:
    torch.set_num_threads(1)
    model = architectures.model(kind)
    settings = {"pretrained": model, "tokenizer": tokenizer, "batch_size": 1, "backend": "causal"}
    settings |= {"max_length": architectures.LENGTH, "logits_cache": False}
    hf, lm = HFLM(**settings), SharedPrefixLM(**settings)
    if kind in OURS:
        assert lm.fallback_reason is None
    scored = asked("loglikelihood", *((start, end) for start in STARTS for end in (" blue", " what is green")))
    whole = asked("loglikelihood_rolling", (TEXT * 3,), ("four",))
    plain = {"until": ["\n\n"], "max_gen_toks": 12, "do_sample": False}
    begun = asked("generate_until", *((start, plain) for start in STARTS))
    if kind in HF_FAILS:
        assert lm.fallback_reason is not None
        with pytest.raises((AttributeError, ValueError), match=HF_FAILS[kind]):
            hf.generate_until(begun, disable_tqdm=True)
        return
    assert_equal(lm.loglikelihood(scored, disable_tqdm=True), hf.loglikelihood(scored, disable_tqdm=True))
    windows = [len(tokenizer.encode(request.args[0])) // architectures.LENGTH + 1 for request in whole]
    found, expected = (each.loglikelihood_rolling(whole, disable_tqdm=True) for each in (lm, hf))
    assert_near(found, expected, times=windows)
    assert lm.generate_until(begun, disable_tqdm=True) == hf.generate_until(begun, disable_tqdm=True)
