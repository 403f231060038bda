"""Ending on SIGTERM or Ctrl-C without leaving anything half done.

An exception that a signal throws into the middle of foreign code can leave its locks taken (codecarbon's scheduler
then hangs for ever). So a signal is only noted, and acted on where that is safe: between steps, or at once inside the
long ones, which hold no lock that anybody needs afterwards.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(BaseException):
    """The process was asked to end. What is finished stays, and the run says that it was interrupted."""


class OverBudget(Interrupted):
    """The run was asked to end because its model is over its budget."""


class Interruption:
    """Notes SIGTERM and SIGINT while `watching`, and what `ask` hands over."""

    def __init__(self) -> None:
        self._pending: Interrupted | None = None
        self._at_once = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take the signals over; they are given back at the end. Only in the main thread."""
        previous = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def ask(self, why: Interrupted) -> None:
        """Ask the run to end, as a signal does; what asked first is the reason. From any thread."""
        self._pending = self._pending or why

    def check(self) -> None:
        """Raises Interrupted if the run was asked to end."""
        if self._pending is not None:
            raise self._pending

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal raises Interrupted where it comes; one that came before raises on entering."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    @contextmanager
    def not_now(self) -> Iterator[None]:
        """Inside an `at_once`, keep a few lines whole; a signal that came meanwhile raises on leaving."""
        before, self._at_once = self._at_once, False
        try:
            yield
        finally:
            self._at_once = before
        self.check()

    def _note(self, number: int, frame: Any) -> None:
        self.ask(Interrupted(f"stopped by {signal.Signals(number).name}"))
        if self._at_once:
            self.check()
