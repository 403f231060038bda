"""Ends an evaluator's process tree within a stated time, whatever hangs in it.

A metric may wait for ever for a process that it forked, or hang in C code that holds the interpreter lock. Then no code
of the evaluator itself can run. So a separate guard process waits beside it and learns of a signal from the C half of
Python's handler (`signal.set_wakeup_fd`). It kills whatever is still running GRACE_S later: finished tasks are landed,
and a process's locks end with it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

# From SIGTERM, SIGINT or the evaluation's end to SIGKILL. Long enough to compute a task's metrics and land them.
GRACE_S = 120.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_THE_END = 0  # no signal has this number
_PR_SET_CHILD_SUBREAPER = 36

_to_guard: int | None = None  # the writing end of the pipe to the guard


@contextmanager
def guarded() -> Iterator[None]:
    """Run an evaluator's process: whatever it starts ends with the block, and the process itself soon after.

    Only in the main thread, and once per process: the guard waits until the process has ended.
    """
    global _to_guard
    from_evaluator, _to_guard = os.pipe()
    os.set_blocking(_to_guard, False)
    if sys.platform == "linux":
        # Orphans become this process's children rather than init's, so that they can be found.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = [sys.executable, "-P", __file__, str(os.getpid()), str(GRACE_S)]
    guard = subprocess.Popen(command, stdin=from_evaluator, stdout=subprocess.DEVNULL, start_new_session=True)
    os.close(from_evaluator)
    signal.set_wakeup_fd(_to_guard, warn_on_full_buffer=False)
    try:
        yield
    finally:
        # Python's own exit waits for children and threads, possibly for ever.
        kill([child for child in psutil.Process().children(recursive=True) if child.pid != guard.pid])
        with suppress(OSError):
            os.write(_to_guard, bytes([_THE_END]))


def kill_tree(process_id: int) -> int:
    """Kill a process with everything that it started, except the caller; returns the number of killed processes."""
    try:
        root = psutil.Process(process_id)
    except psutil.NoSuchProcess:
        return 0
    tree = {root}
    with suppress(psutil.NoSuchProcess):
        root.suspend()  # a suspended process starts no others
        while new := set(root.children(recursive=True)) - tree - {psutil.Process()}:
            for process in new:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            tree |= new
    kill(list(tree))
    return len(tree)


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes that may already have ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _forget_the_guard() -> None:
    """In a forked child: its signals and its end do not concern the guard."""
    global _to_guard
    if _to_guard is not None:
        signal.set_wakeup_fd(-1)
        os.close(_to_guard)
        _to_guard = None


os.register_at_fork(after_in_child=_forget_the_guard)


def _guard(evaluator: psutil.Process, grace_s: float) -> None:
    """Wait for a byte on standard input; then for the evaluator's end, which closes it, or for the deadline."""
    deadline, why = None, ""
    while True:
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([0], [], [], left_s)[0]:
            break
        words = os.read(0, 64)
        if not words:
            return
        for word in words:
            if deadline is None and word in (*_SIGNALS, _THE_END):
                deadline = time.monotonic() + grace_s
                why = signal.Signals(word).name if word else "the end of its evaluation"
    if not evaluator.is_running():  # False also where another process has its id by now
        return
    others = kill_tree(evaluator.pid) - 1
    print(
        f"the evaluator did not end within {grace_s:g} s after {why} and was killed, with {others} process(es) that it "
        "had started; what was finished is kept",
        file=sys.stderr,
    )


if __name__ == "__main__":
    with suppress(psutil.NoSuchProcess):
        _guard(psutil.Process(int(sys.argv[1])), float(sys.argv[2]))
