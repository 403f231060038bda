"""Processes that a test starts, watches and kills. Conditions are polled with a bound, never slept for.

An evaluator's process takes seconds to import what it needs, so all of them are forked off one that has done so.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

Found = TypeVar("Found")

ROOT = Path(__file__).parents[2]
NET_S = 1500.0  # against hanging only: on a busy machine a process may take minutes to begin


class Started:
    """A process in a group of its own, whose words go to files: a full pipe would stop it.

    No session of its own: Linux shares the processors out among sessions first, so niceness would mean nothing.
    """

    def __init__(self, arguments: Sequence[str | Path], cwd: Path | None, environment: Mapping[str, str]) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("EVALWATT_", "DAGSTER_"))}
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(paths)} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            process_group=0,
        )

    @property
    def said(self) -> str:
        """What it has written to standard output and standard error until now."""
        written = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0) for file in (self._out, self._err)]
        return b"".join(written).decode(errors="replace")

    def wait_for(self, words: str, seconds: float = NET_S) -> None:
        """Until it has said `words`."""
        wait_until(lambda: words in self.said or self.process.poll() is not None, repr(words), seconds)
        assert words in self.said, f"it ended without saying {words!r}: {self.said[-3000:]}"

    def end(self, seconds: float = NET_S) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(seconds)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal this process alone, and wait for its end; returns the exit code."""
        self.process.send_signal(number)
        return self.end()

    def kill_all(self) -> None:
        """Kill it and whatever it started, as a machine that stops does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def python(
    *arguments: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """This Python with `arguments`; nothing that it started outlives the block."""
    started = Started(arguments, cwd, environment or {})
    try:
        yield started
    finally:
        started.kill_all()


class Evaluator:
    """`python -m evaluators SPEC`, as a process that may be killed. `before` runs in it first."""

    def __init__(self, spec: Path, before: Callable[[], Any]) -> None:
        self._words = spec.with_suffix(".said")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["evaluators.process.run", "lm_eval.tasks", "lm_eval.models.huggingface", "codecarbon"]
        )
        self.process = context.Process(target=_evaluate, args=(spec, self._words, before))
        self.process.start()

    @property
    def said(self) -> str:
        """What it has written to standard output and standard error until now."""
        return self._words.read_text() if self._words.exists() else ""

    def wait_for(self, words: str) -> None:
        """Until it has said `words`."""
        wait_until(lambda: words in self.said or not self.process.is_alive(), repr(words))
        assert words in self.said, f"it ended without saying {words!r}: {self.said[-3000:]}"

    def wait_for_file(self, path: Path) -> None:
        """Until `path` exists."""
        wait_until(lambda: path.exists() or not self.process.is_alive(), str(path))
        assert path.exists(), f"it ended before: {self.said[-3000:]}"

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def end(self) -> int | None:
        """Its exit code, once it has ended; negative for a signal."""
        self.process.join(NET_S)
        return self.process.exitcode


@contextmanager
def evaluator(spec: Path, before: Callable[[], Any] = int) -> Iterator[Evaluator]:
    """An evaluator that does not outlive the block."""
    started = Evaluator(spec, before)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.join()


def _evaluate(spec: Path, words: Path, before: Callable[[], Any]) -> None:
    descriptor = os.open(words, os.O_WRONLY | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from evaluators.__main__ import main
    from evaluators.process.guard import guarded

    before()
    with guarded():
        sys.exit(main([str(spec)]))


def is_living(process: psutil.Process) -> bool:
    """Whether the process runs; it may end while it is asked."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], Found], what: str, seconds: float = NET_S) -> Found:
    """The condition's first true answer; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.01)
    return found
