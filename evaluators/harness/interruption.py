"""Ending on SIGTERM or Ctrl-C without leaving anything half done.

An exception that a signal raises in the middle of foreign code can leave its locks taken (codecarbon's scheduler then
hangs for ever). So a handler only notes the signal. The run acts on it where that is safe: between steps, or at once
inside the long ones, which hold no lock that is needed afterwards.

A forked child inherits handlers. A child that only noted SIGTERM would never end, and Python's pools, which terminate
and join their children, would wait for ever. So signals end a child, unless they were ignored before.
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
    """The process was asked to end. Finished tasks are kept, and the run's status is `interrupted`."""


class OverBudget(Interrupted):
    """The run was asked to end because its model exceeded its night budget."""


class Interruption:
    """Notes SIGTERM and SIGINT while `watching`, and requests made through `ask`."""

    def __init__(self) -> None:
        self._pending: Interrupted | None = None
        self._at_once = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle the signals until the end of the block, then restore the handlers. Only in the main thread."""
        _replaced.update({number: signal.getsignal(number) for number in _SIGNALS})
        for number in _SIGNALS:
            signal.signal(number, self._note)
        try:
            yield
        finally:
            _give_back()
            _replaced.clear()

    def ask(self, why: Interrupted) -> None:
        """Ask the run to end, as a signal does; the first request is the reason. From any thread."""
        self._pending = self._pending or why

    def check(self) -> None:
        """Raises Interrupted if the run was asked to end."""
        if self._pending is not None:
            raise self._pending

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal raises Interrupted at once; an earlier one raises on entering."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    @contextmanager
    def not_now(self) -> Iterator[None]:
        """Inside an `at_once`, run a few lines uninterrupted; a signal in between raises on leaving."""
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
    """Block signals during a fork: the child would lose one that came before its handlers are restored."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _let_signals_through() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _in_child() -> None:
    # The default action, because an exception that a handler raises here, for a pending signal, is lost with it.
    for number, handler in _replaced.items():
        signal.signal(number, signal.SIG_IGN if handler == signal.SIG_IGN else signal.SIG_DFL)
    _replaced.clear()
    _let_signals_through()


os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_through, after_in_child=_in_child)
