"""Answers that are landed and known to be wrong: which engine answered which architecture wrongly, and why.

What it answered is not done, so it is due again; SQL leaves it out by the seed `withdrawn_answers`, which says the
same. What it took was taken: energies stay in the history.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evaluators.landing import bundles
from evaluators.records import Model

_TWICE = "it overwrote the keys and values of a layer that is entered twice"

# (engine, architecture): why. Today's engines leave these to `hf`, so that whatever they answered is from before.
WITHDRAWN = {
    ("shared-prefix", "DiffLlamaForCausalLM"): _TWICE,
    ("shared-prefix", "HrmTextForCausalLM"): _TWICE,
}
_ARCHITECTURES = {architecture for _, architecture in WITHDRAWN}


def counted(root: Path, without: Collection[str] = ()) -> dict[str, str]:
    """Bundle name of each landed task evaluation that counts to the run id of its newest one: those neither of a run of
    `without` nor withdrawn."""
    found = bundles.task_evaluations(root, without)
    return {name: run_id for name, run_id in found.items() if withdrawal(root, run_id) is None}


@functools.cache  # a run that has answered is loaded, which is landed once
def withdrawal(root: Path, run_id: str) -> str | None:
    """Why a run's answers are withdrawn, in words; None where they are not."""
    for path in (root / run_id / bundles.SETUP_BUNDLE).glob(f"{Model.table}.*.parquet"):
        try:
            (architecture,) = pq.ParquetFile(path).read(["architecture"])["architecture"].to_pylist()
        except (pa.ArrowException, OSError, ValueError):
            return None  # damaged; the loader puts it into quarantine and says so
        if architecture in _ARCHITECTURES:
            engine = _engine(root / run_id)
            why = WITHDRAWN.get((engine, architecture))
            return None if why is None else f"{engine} answered {architecture} wrongly: {why}"
    return None


def _engine(folder: Path) -> str:
    """What answered, which the run wrote down once its model was loaded."""
    for name in (bundles.LOADED_FILE, bundles.RUN_FILE):
        if (folder / name).exists():
            return str(json.loads((folder / name).read_bytes())["engine"])
    return ""
