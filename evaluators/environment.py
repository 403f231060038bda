"""An evaluator process's environment, set before the libraries that read it are loaded. Imports nothing heavy."""

from __future__ import annotations

import os

YIELDING = "yielding"
# How torch's threads wait for each other (see `waiting`, and docs/decisions for measurements): in libgomp for 30,000
# spins, a tenth of its default, and for 1,000 where the process has more threads than CPUs; without `active` these
# would be 100. LLVM's and Intel's runtimes count in milliseconds.
_WAITING = {"GOMP_SPINCOUNT": "30000", "OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "1"}


# A recipe's process does not watch other programs, so it spins briefly. Measured on the example recipe with two threads
# on two cores: 71 s, instead of 97 s with 30,000 spins; beside a busy loop, 30 training steps in the time of 10.
_WAITING_OF_RECIPES = {"GOMP_SPINCOUNT": "2000"}


def prepare() -> None:
    """Set the variables that libraries read once, when they are loaded. A user's own thread settings win."""
    os.environ["TQDM_DISABLE"] = "1"  # disables lm-eval's own bars; evaluators.process.progress draws the only one
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"  # else datasets reports every loaded file to a server
    if thread_policy() == YIELDING:
        os.environ.update(_WAITING)


def thread_policy() -> str:
    """How an evaluator's threads wait, as in the comparability key: `yielding`, or the user's own setting. It is the
    same in the evaluator's process and in the one that starts it."""
    found = {name: os.environ[name] for name in _WAITING if name in os.environ}
    if found in ({}, _WAITING):
        return YIELDING
    if "GOMP_SPINCOUNT" in found:  # libgomp's own variable wins over OpenMP's general one
        return f"spin={found['GOMP_SPINCOUNT']}"
    if "OMP_WAIT_POLICY" in found:
        return f"wait={found['OMP_WAIT_POLICY'].lower()}"
    return f"block={found['KMP_BLOCKTIME']}"


def of_recipe() -> dict[str, str]:
    """The environment of a recipe that this process starts. A user's own thread settings win."""
    waiting = _WAITING_OF_RECIPES if thread_policy() == YIELDING else {}
    return os.environ | waiting | {"PYTHONUNBUFFERED": "1"}
