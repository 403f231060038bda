"""Landed answers that are known to be wrong: which engine answered which architecture wrongly, and why.

Withdrawn evaluations do not count as done, so they are due again. SQL leaves them out by the seed `withdrawn_answers`,
which has the same list. Their energies were used, and stay in the history.
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

# (engine, architecture): why. Today's engines leave these to `hf`, so all their answers are from earlier versions.
WITHDRAWN = {
    ("shared-prefix", "DiffLlamaForCausalLM"): _TWICE,
    ("shared-prefix", "HrmTextForCausalLM"): _TWICE,
}
_ARCHITECTURES = {architecture for _, architecture in WITHDRAWN}


def counted(root: Path, without: Collection[str] = ()) -> dict[str, str]:
    """Maps the bundle name of each landed task evaluation that counts to the id of its newest run. Evaluations that are
    withdrawn, or whose run is in `without`, do not count."""
    found = bundles.task_evaluations(root, without)
    return {name: run_id for name, run_id in found.items() if withdrawal(root, run_id) is None}


@functools.cache  # the setup bundle of a run is landed once, before its answers
def withdrawal(root: Path, run_id: str) -> str | None:
    """Why a run's answers are withdrawn, in words; None where they count."""
    for path in (root / run_id / bundles.SETUP_BUNDLE).glob(f"{Model.table}.*.parquet"):
        try:
            (architecture,) = pq.ParquetFile(path).read(["architecture"])["architecture"].to_pylist()
        except (pa.ArrowException, OSError, ValueError):
            return None  # damaged; the loader quarantines and reports it
        if architecture in _ARCHITECTURES:
            engine = _engine(root / run_id)
            why = WITHDRAWN.get((engine, architecture))
            return None if why is None else f"{engine} answered {architecture} wrongly: {why}"
    return None


def _engine(folder: Path) -> str:
    """The engine that answered, which the run wrote once its model was loaded."""
    for name in (bundles.LOADED_FILE, bundles.RUN_FILE):
        if (folder / name).exists():
            return str(json.loads((folder / name).read_bytes())["engine"])
    return ""
