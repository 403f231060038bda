"""A run's progress: a bar with tasks, requests and watts on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Never

from tqdm import tqdm

from evaluators.terminal import terminal
from evaluators.wording import duration


class Progress:
    """One bar per task. `watts` is called now and then while requests are answered."""

    def __init__(self, watts: Callable[[], float | None]) -> None:
        self._watts = watts
        self._terminal = terminal()
        self._bar: tqdm[Never] | None = None

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if self._terminal is not None:
            print(line, file=self._terminal, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def start(self, task: str, number: int, tasks: int, requests: int) -> None:
        """A task begins that will send `requests`."""
        if self._terminal is not None:
            self._bar = tqdm(
                total=requests,
                desc=f"{task} [{number}/{tasks}]",
                unit="request",
                file=self._terminal,
                leave=False,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
                disable=False,  # TQDM_DISABLE silences lm-eval's bars, not this one
            )

    def tick(self, left_s: float | None) -> None:
        """One request is answered; the task will probably take `left_s` more."""
        if self._bar is not None and self._bar.update():
            watts = self._watts()
            left = [f"about {duration(left_s)} left"] if left_s is not None else []
            self._bar.set_postfix_str(
                ", ".join(left + ([f"{watts:.1f} W"] if watts is not None else [])), refresh=False
            )

    def stop(self) -> None:
        """The task has finished or failed."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
