"""An evaluator process's environment, set before any library is loaded that reads it. Imports nothing heavy."""

from __future__ import annotations

import os

YIELDING = "yielding"
# How torch's threads wait for each other (`waiting` has the rest, docs/choices.md the measurements): in libgomp 30,000
# spins, a tenth of its default, and 1,000 where the process has more threads than CPUs, which would be 100 without
# `active`. LLVM's and Intel's runtimes count in milliseconds.
_WAITING = {"GOMP_SPINCOUNT": "30000", "OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "1"}


def prepare() -> None:
    """Set what the libraries read once, when they are loaded. A user's own setting of the threads' waiting wins."""
    os.environ["TQDM_DISABLE"] = "1"  # lm-eval's own bars; evaluators.process.progress draws the one bar there is
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"  # else datasets tells a server of every file that is loaded
    if thread_policy() == YIELDING:
        os.environ.update(_WAITING)


def thread_policy() -> str:
    """How an evaluator's threads wait, as the comparability key has it: `yielding`, or the user's own setting. The same
    in the evaluator's process and in the one that starts it."""
    found = {name: os.environ[name] for name in _WAITING if name in os.environ}
    if found in ({}, _WAITING):
        return YIELDING
    if "GOMP_SPINCOUNT" in found:  # libgomp's own word wins over OpenMP's general one
        return f"spin={found['GOMP_SPINCOUNT']}"
    if "OMP_WAIT_POLICY" in found:
        return f"wait={found['OMP_WAIT_POLICY'].lower()}"
    return f"block={found['KMP_BLOCKTIME']}"
