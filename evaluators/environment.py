"""An evaluator process's environment, set before any library is loaded that reads it. Imports nothing heavy.

torch's OpenMP threads wait for each other at every barrier, some hundred times a token. By libgomp's default they spin
for milliseconds: beside one busy program on two cores, decoding takes more than twenty times as long, and the spinning
is CPU time, which a modelled energy bills. So they spin for a moment only and then sleep (docs/choices.md has the
measurements).
"""

from __future__ import annotations

import os

SPINS = 2000  # about a tenth of a millisecond
_BLOCKTIME_MS = 1  # the same where torch is built with LLVM's or Intel's runtime, which counts in milliseconds
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def prepare() -> None:
    """Set what the libraries read once, when they are loaded. A user's own setting of the threads' waiting wins."""
    os.environ["TQDM_DISABLE"] = "1"  # lm-eval's own bars; evaluators.progress draws the one bar there is
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"  # else datasets tells a server of every file that is loaded
    if not any(name in os.environ for name in _WAITING):
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)
        os.environ["KMP_BLOCKTIME"] = str(_BLOCKTIME_MS)


def expected_thread_policy() -> str:
    """The policy of an evaluator that is started from this process."""
    return thread_policy() if any(name in os.environ for name in _WAITING) else f"spin={SPINS}"


def thread_policy() -> str:
    """How the threads wait in this process, as the comparability key has it: `spin=2000`, or a user's own setting."""
    if "GOMP_SPINCOUNT" in os.environ:  # libgomp's own word wins over OpenMP's general one
        return f"spin={os.environ['GOMP_SPINCOUNT']}"
    if "OMP_WAIT_POLICY" in os.environ:
        return f"wait={os.environ['OMP_WAIT_POLICY'].lower()}"
    return f"block={os.environ['KMP_BLOCKTIME']}" if "KMP_BLOCKTIME" in os.environ else "default"
