"""Every causal architecture of the installed transformers as a small random model, as far as it can be made small.

Configurations are the library's own defaults with small numbers in the fields that have sizes; where that does not
make a model, `CHANGES` says what else it needs, and `NOT_SMALL` why it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

LENGTH = 96  # tokens that a model is asked to read at most
_POSITIONS = 128  # some number them from beyond the padding's token
VOCABULARY = 300
_LAYERS = 4
_WINDOW = 7  # shorter than every prompt of the sweep

_SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "embedding_size", "word_embed_proj_dim", "embedding_dim"), 32),
    **dict.fromkeys(
        (
            *("intermediate_size", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "n_inner", "ffn_hidden_size"),
            *("moe_intermediate_size", "shared_expert_intermediate_size", "intermediate_size_mlp"),
            *("moe_shared_expert_intermediate_size", "shared_intermediate_size", "block_ff_dim"),
        ),
        48,
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers"), _LAYERS),
    **dict.fromkeys(("decoder_layers", "encoder_layers"), _LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads", "swa_num_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "kv_n_heads", "swa_num_key_value_heads"), 2),
    **dict.fromkeys(("head_dim", "kv_channels", "attention_head_dim", "swa_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim"), 8),
    "qk_head_dim": 16,
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "o_lora_rank"), 16),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"), _POSITIONS),
    **dict.fromkeys(("model_max_length", "max_target_positions", "original_max_position_embeddings"), _POSITIONS),
    **dict.fromkeys(("sliding_window", "window_size", "sliding_window_size", "local_attention"), _WINDOW),
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "top_k_experts", "num_experts_per_token"), 2),
    **dict.fromkeys(("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"), 1),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_group", "first_k_dense_replace", "num_dense_layers"), 1),
    **dict.fromkeys(("mamba_n_heads", "mamba_d_head", "mamba_d_state", "mamba_num_heads", "mamba_head_dim"), 8),
    **dict.fromkeys(("ssm_state_size", "state_size", "mamba_chunk_size", "hidden_size_per_layer_input"), 8),
    **dict.fromkeys(("time_step_rank", "mamba_dt_rank", "laurel_rank"), 4),
    **dict.fromkeys(("n_groups", "mamba_n_groups"), 1),
    **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads", "linear_num_heads"), 2),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "linear_head_dim"), 8),
    "mamba_d_ssm": 64,
    "rotary_dim": 8,
    "num_kv_shared_layers": 0,
    "use_mamba_kernels": False,
    "is_decoder": True,
    "vocab_size": VOCABULARY,
    "vocab_size_per_layer_input": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}

_SLIDING, _FULL, _LINEAR = "sliding_attention", "full_attention", "linear_attention"
_HYBRID = [_SLIDING, _SLIDING, _SLIDING, _FULL]
_LINEAR_HYBRID = {"layer_types": [_LINEAR, _FULL, _LINEAR, _FULL]}
# Multi-head latent attention has as many heads of keys as of queries, and values of another size.
_LATENT = {"num_key_value_heads": 4, "v_head_dim": 12}

# By model type: what else it needs to be small; None leaves a field as it is by default.
CHANGES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite"), _LATENT),
    **dict.fromkeys(("glm_moe_dsa", "minicpm3", "youtu"), _LATENT),
    "bamba": {"attn_layer_indices": [1, 3]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "granitemoehybrid": _LINEAR_HYBRID,
    "bailing_hybrid": _LATENT | {"layer_group_size": 2},
    "kimi_linear": _LATENT | _LINEAR_HYBRID,
    "deepseek_v2": _LATENT | {"num_experts_per_tok": 2},
    "dots1": {
        "use_sliding_window": True,
        "max_window_layers": 2,
        "n_shared_experts": 1,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
    },
    "cohere_compass_text": {
        "layer_types": _HYBRID,
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": 10000.0} for kind in (_SLIDING, _FULL)},
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
    },
    "dots3_note_text": _LATENT
    | {
        "head_dim": 16,
        "layer_types": ["indexed_attention", _SLIDING, "indexed_attention", _SLIDING],
        "per_layer_config": {1: {"kv_lora_rank": 24}, 3: {"kv_lora_rank": 24}},
    },
    "falcon": {"head_dim": None},
    "gemma3n_text": {
        "intermediate_size": [48, 40, 48, 40],
        "layer_types": _HYBRID,
        "activation_sparsity_pattern": [0.9, 0.0, 0.0, 0.0],
    },
    "gemma4_text": {"layer_types": _HYBRID, "per_layer_config": {3: {"head_dim": 16}}},
    "gemma4_unified_text": {"layer_types": _HYBRID, "per_layer_config": {3: {"head_dim": 16}}},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    **{kind: {"head_dim": 8} for kind in ("hunyuan_v1_dense", "hunyuan_v1_moe", "ministral")},
    "lfm2": {"layer_types": ["conv", _FULL, "conv", _FULL]},
    "lfm2_moe": {"layer_types": ["conv", _FULL, "conv", _FULL]},
    "mamba2": {"num_heads": 8},
    "nemotron": {"head_dim": 8, "num_key_value_heads": 2},
    "reformer": {"axial_pos_shape": [8, 16], "axial_pos_embds_dim": [8, 24], "attn_layers": ["local", "lsh"] * 2},
    "roc_bert": {"pronunciation_vocab_size": VOCABULARY, "shape_vocab_size": VOCABULARY},
    "xlm": {"emb_dim": 32},
    "xlstm": {"hidden_size": 128, "embedding_dim": 128},
    "longcat_flash": _LATENT | {"expert_ffn_hidden_size": 48, "zero_expert_num": 2},
    "blt": {"encoder_hash_byte_group_vocab": 100},
    "zamba2": {"layers_block_type": [_LINEAR, "hybrid", _LINEAR, "hybrid"]},
    "zamba": {"layers_block_type": [_LINEAR, "hybrid", _LINEAR, "hybrid"]},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 16,
        "indexer_compress_ratio": 4,
    },
    "prophetnet": {"num_hidden_layers": None, "num_encoder_layers": 2, "num_decoder_layers": 2},
    "zaya": {"num_experts_per_tok": 1},
}

# By model type: why there is no small model of it here.
NOT_SMALL: dict[str, str] = {
    **dict.fromkeys(
        ("gemma4_assistant", "gemma4_unified_assistant"), "drafts for another model, whose hidden states it reads"
    ),
    "gemma3n": "its image tower needs pillow and timm; its language model is gemma3n_text",
    **dict.fromkeys(
        ("musicgen", "musicgen_melody"), "answers with codes of sound, and is not made from its own configuration"
    ),
}


def configuration(kind: str, changes: Mapping[str, Any] = {}) -> PreTrainedConfig:
    """A small configuration of a model type."""
    default = CONFIG_MAPPING[kind]().to_dict()
    fields = {name: size for name, size in _SIZES.items() if isinstance(default.get(name), int | float)}
    for name in getattr(CONFIG_MAPPING[kind], "sub_configs", {}):
        part = (default.get(name) or {}).get("model_type")
        if part in CONFIG_MAPPING:
            fields[name] = configuration(str(part)).to_dict()
    fields |= {**CHANGES.get(kind, {}), **changes}
    return CONFIG_MAPPING[kind](**{name: value for name, value in fields.items() if value is not None})


def model(kind: str) -> Any:
    """A small model with wide random weights: answers must differ, or their equality would say nothing."""
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(configuration(kind), dtype=torch.float32).eval()
    with torch.no_grad():
        for weights in made.parameters():
            if weights.dim() > 1 and weights.is_floating_point():
                weights.normal_(0, 0.2)
    return made


def kinds() -> list[str]:
    """A model type for each causal architecture of the installed transformers."""
    by_class: dict[str, str] = {}
    for kind, name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items():
        # A multimodal model's language model is the same class by itself, and the smaller of the two.
        usual = by_class.setdefault(name, kind)
        by_class[name] = min(usual, kind, key=lambda each: (not each.endswith("_text"), len(each)))
    return sorted(by_class.values())
