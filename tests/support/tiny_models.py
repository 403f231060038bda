"""Small random models of many architectures, and a tokenizer whose tokens are bytes and a few words."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

WINDOW = 7  # of models with sliding windows: shorter than the tests' sequences
LENGTH = 96  # tokens that a model reads at most
TEXT = "the sky is blue, the grass is green.\n\nWhat colour is the sky? Answer: blue\nQuestion: one two three four"

# Wide random weights: answers must differ, or their equality would say nothing.
_COMMON = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.25}
_LLAMA = _COMMON | {"num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": LENGTH}
_HYBRID = _LLAMA | {
    "head_dim": 8,
    "sliding_window": WINDOW,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
_EXPERTS = {"num_experts_per_tok": 2, "num_local_experts": 4}

# name: (transformers' model type, configuration)
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _LLAMA),
    "qwen2": ("qwen2", _LLAMA),
    "qwen2 with a window": (
        "qwen2",
        _LLAMA | {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", _LLAMA | {"head_dim": 8}),
    "gemma": ("gemma", _LLAMA | {"head_dim": 8}),
    "gemma2": (
        "gemma2",
        _HYBRID | {"query_pre_attn_scalar": 16, "attn_logit_softcapping": 1.0, "final_logit_softcapping": 5.0},
    ),
    "gemma3": ("gemma3_text", _HYBRID | {"query_pre_attn_scalar": 16}),
    "gpt_neox": ("gpt_neox", _COMMON | {"intermediate_size": 48, "max_position_embeddings": LENGTH}),
    "phi": ("phi", _LLAMA | {"partial_rotary_factor": 0.5}),
    "phi3": ("phi3", _LLAMA | {"sliding_window": WINDOW}),
    "mistral": ("mistral", _LLAMA | {"sliding_window": WINDOW}),
    "mixtral": ("mixtral", _LLAMA | _EXPERTS),
    "gpt2": ("gpt2", _COMMON | {"n_positions": LENGTH}),
    "opt": (
        "opt",
        {k: v for k, v in _COMMON.items() if k != "initializer_range"}
        | {"init_std": 0.25, "ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": LENGTH},
    ),
    "olmo2": ("olmo2", _LLAMA),
    "gpt_oss": ("gpt_oss", _HYBRID | _EXPERTS),
    "cohere2": ("cohere2", _HYBRID | {"logit_scale": 1.0}),
    # Attributes of which layers have their own, or a list.
    "gemma3n": (
        "gemma3n_text",
        _HYBRID
        | {"intermediate_size": [48, 40, 56], "activation_sparsity_pattern": [0.9, 0.0, 0.0], "laurel_rank": 4}
        | {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 300, "num_kv_shared_layers": 0},
    ),
    "gemma4": (
        "gemma4_text",
        _HYBRID
        | {"layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
        | {"per_layer_config": {2: {"head_dim": 16, "num_key_value_heads": 1}}, "hidden_size_per_layer_input": 0},
    ),
}
# What has no attention over a trie: answered by lm-eval's `hf`.
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "falcon": ("falcon", _COMMON | {"new_decoder_architecture": False, "multi_query": True}),
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.25}),
    "diffllama": ("diffllama", _LLAMA),  # the same layer index twice in a forward
    "mamba": ("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "initializer_range": 0.25}),
    "t5": ("t5", {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 2}),
}


@cache
def _words() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bytes_ = Tokenizer(models.BPE())
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    bytes_.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bytes_.train_from_iterator([TEXT] * 4, trainer)
    return bytes_


def save_tokenizer(folder: Path, **settings: Any) -> int:
    """Write a byte-level tokenizer; returns how many tokens it knows."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        **{"tokenizer_object": _words(), "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"} | settings
    ).save_pretrained(folder)
    return int(_words().get_vocab_size())


def save(folder: Path, name: str, *, seed: int = 0, tokenizer: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a random model of an architecture above, as safetensors, with a tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kind, settings = (ARCHITECTURES | OTHERS)[name]
    size = save_tokenizer(folder, **(tokenizer or {}))
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    config = AutoConfig.for_model(kind, **{"vocab_size": size} | ids | settings | changes)
    torch.manual_seed(seed)
    model = (AutoModelForSeq2SeqLM if kind == "t5" else AutoModelForCausalLM).from_config(config)
    model.save_pretrained(folder)
    return folder


def save_adapter(base: Path, out: Path, rows: int | None = None, kind: str = "LoraConfig", **config: Any) -> None:
    """Write an adapter whose every weight is random; with `rows`, of the base with so many embeddings."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base)
    if rows is not None:
        model.resize_token_embeddings(rows)
    lora = {"r": 2, "target_modules": ["q_proj"], "init_lora_weights": False} if kind == "LoraConfig" else {}
    adapted = peft.get_peft_model(model, getattr(peft, kind)(task_type="CAUSAL_LM", **lora | config))
    with torch.no_grad():
        for weights in adapted.parameters():
            if weights.requires_grad:
                weights.add_(torch.randn_like(weights) * 0.3)
    adapted.save_pretrained(out)
