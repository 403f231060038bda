"""Ending on SIGTERM or Ctrl-C without leaving anything half done.

An exception that a signal throws into the middle of foreign code can leave its locks taken (codecarbon's scheduler
then hangs for ever). So a signal is only noted, and acted on where that is safe: between steps, or at once inside the
long ones, which hold no lock that anybody needs afterwards.

A forked child inherits handlers. One that only noted SIGTERM would live on for ever, and whoever terminates and joins
it, as Python's pools do, would wait for ever: signals end a child, unless they were ignored before.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_replaced: dict[int, Any] = {}  # what the signals did before `watching`, while it lasts
_mask = threading.local()


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
        _replaced.update({number: signal.getsignal(number) for number in _SIGNALS})
        for number in _SIGNALS:
            signal.signal(number, self._note)
        try:
            yield
        finally:
            _give_back()
            _replaced.clear()

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


def _give_back() -> None:
    for number, handler in _replaced.items():
        signal.signal(number, handler)


def _hold_signals() -> None:
    """For the moment of a fork: a signal that met the child before its handlers are back would be lost."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _let_signals_through() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _in_child() -> None:
    # The system's own action: what a handler raises here, where a signal may wait already, is dropped with the signal.
    for number, handler in _replaced.items():
        signal.signal(number, signal.SIG_IGN if handler == signal.SIG_IGN else signal.SIG_DFL)
    _replaced.clear()
    _let_signals_through()


os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_through, after_in_child=_in_child)
