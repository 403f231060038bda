"""Problems that make a model unusable although its files are here, as sentences, found before its weights are loaded.

Belongs here: checks with transformers and the tokenizer. Does not belong here: whether the files exist (`sources`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluators.wording import sentence

_ASKED = "What colour is the sky?"
_SHOT = [{"role": "user", "content": "What colour is grass?"}, {"role": "assistant", "content": "Green."}]


def cannot_dequantize(folder: Path, device: str, engine: str) -> str | None:
    """Why the folder's quantized weights cannot be read here; None where they can, or are not quantized.

    `engine`: as in the catalogue. vLLM has its own readers, which say themselves what is missing.
    """
    if engine == "vllm":
        return None
    from transformers import AutoConfig
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING, get_hf_quantizer
    from transformers.utils import is_gptqmodel_available

    try:
        content = json.loads((folder / "config.json").read_bytes())
        stated = content.get("quantization_config") or (content.get("text_config") or {}).get("quantization_config")
        if not stated:
            return None
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError):
        return None  # loading it gives a better error
    method = str(stated.get("quant_method", ""))
    try:
        get_hf_quantizer(config, None, {"": device}, True, {})
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0].replace("_", "-")
        return f"its weights are quantized ({method}), which needs a package: run `pip install {package}`"
    except Exception as error:  # each method has its own requirements and exceptions
        further = "; it needs gptqmodel as well" if method == "gptq" and not is_gptqmodel_available() else ""
        return f"its weights are quantized ({method or 'by no stated method'}): {sentence(error)}{further}"
    if method not in AUTO_QUANTIZER_MAPPING and method != "bitsandbytes":
        return f"its weights are quantized ({method}), which the installed transformers does not support: update it"
    return None


def unusable_template(tokenizer: Any, *, with_shots: bool) -> str | None:
    """Why the tokenizer's chat template fails for a question, after an answered one if `with_shots`; else None."""
    if tokenizer.chat_template is None:
        return "the model has no chat template"
    conversation = [*(_SHOT if with_shots else []), {"role": "user", "content": _ASKED}]
    try:
        text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # the template is a program of the model's author
        return f"the model's chat template fails on a simple conversation ({sentence(error)})"
    return None if _ASKED in text else "the model's chat template omits the user's message"


def unusable_template_in(folder: Path) -> str | None:
    """The same for the tokenizer in a folder; None where it cannot be read, because loading it gives a better error."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError):
        return None
    return unusable_template(tokenizer, with_shots=False)
