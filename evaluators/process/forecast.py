"""How long a run's tasks will take, and when that is worth a line: an upper bound until a task's first documents are
answered, an estimate from then on, and the first repetition's duration for further repetitions.

Belongs here: estimates while tasks run. Does not belong here: what is expected before the first task (`expectation`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from evaluators.engines.memory import MOST_ROWS
from evaluators.process.expectation import Expected
from evaluators.wording import counted, duration

# A task is estimated once this share of its requests is answered,
_SHARE = 0.1
_SIDE_BY_SIDE = 1.5  # this many times the number of requests answered side by side,
_SECONDS = 3.0  # and this many seconds have passed.
_EVERY_S = 1.0
_FAR_OFF = 2.0  # An estimate is worth a line where it differs by this factor from the previous one
_LEFT_S = 10.0  # and so much time is left.
_LONG_S = 30.0  # Tasks that take this long are named in the announcement,
_NAMED = 3  # at most this many.


class Answers:
    """How many of a task's requests are answered, and when the last one was, in seconds since the first was sent."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._number = 0
        self._last_s = 0.0

    def add(self, at_s: float) -> None:
        self._number, self._last_s = self._number + 1, at_s

    @property
    def share(self) -> float:
        """The answered share of all requests."""
        return self._number / max(self._requests, 1)

    def total_s(self) -> float | None:
        """How long all of them will take at the pace so far; None where too few are answered.

        Answers that are generated side by side finish in order of length, so the first ones say little about the rest.
        Once one and a half times as many have finished as run side by side, or half of all, short and long ones have
        mixed: the estimate was right within a factor of two for lengths that are equal, uniform, normal, exponential,
        or half 2 and half 48 tokens (tests/evaluators/test_forecast.py).
        """
        enough = max(_SHARE * self._requests, min(_SIDE_BY_SIDE * MOST_ROWS, self._requests / 2))
        return self._last_s / self.share if 0 < self._number >= enough else None


class Forecast:
    """Estimates how long tasks will take. `say` gets its lines, `clock` returns seconds."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.perf_counter) -> None:
        self._say = say
        self._clock = clock
        self._said: dict[str, float] = {}  # seconds per task, as last announced or estimated
        self._took: dict[str, float] = {}
        self._started = self._looked = 0.0
        self._asked: float | None = None  # when the task's first request was sent
        self._task = ""
        self._answers = Answers(0)

    def announce(self, what: str, expected: Mapping[str, Expected], due: Sequence[str]) -> None:
        """A run begins that will evaluate the tasks `due`, in which a name occurs once per repetition."""
        self._said = {task: found.seconds for task, found in expected.items() if found.seconds is not None}
        about = "at most about" if any(found.at_most for found in expected.values()) else "about"
        times = max(map(due.count, expected))
        repeated = f", {times} repetitions" if times > 1 else ""
        total = duration(sum(self._said.get(task, 0.0) for task in due))
        long = sorted((task for task, s in self._said.items() if s >= _LONG_S), key=lambda t: -self._said[t])
        parts = [f"{task} {duration(self._said[task])}" for task in long] if len(expected) > 1 or times > 1 else []
        parts += [f"{task} unknown" for task, found in expected.items() if found.seconds is None]
        more = f" ({', '.join(parts[:_NAMED])}{' …' if len(parts) > _NAMED else ''})" if parts else ""
        self._say(f"{what}: {counted(len(expected), 'task')}{repeated}, {about} {total}{more}")

    def start(self, task: str, requests: int) -> None:
        """A task begins."""
        self._task, self._answers, self._asked = task, Answers(requests), None
        self._started = self._looked = self._clock()

    def ask(self) -> None:
        """The task's requests are sent to the model."""
        if self._asked is None:
            self._asked = self._clock()

    def tick(self) -> float | None:
        """A request is answered. Returns the seconds left for the task, or None where they are unknown."""
        now = self._clock()
        asked = self._started if self._asked is None else self._asked
        left_s = None
        if (took := self._took.get(self._task)) is not None:
            left_s = max(self._started + took - now, 0.0)
        elif (total_s := self._answers.total_s()) is not None:
            left_s = max(asked + total_s - now, 0.0)
            # At most once a second, and without this answer, which may be the first of many that finish together.
            if now - self._looked >= _EVERY_S and now - asked >= _SECONDS:
                self._looked = now
                self._report(total_s, left_s)
        self._answers.add(now - asked)
        return left_s

    def ended(self) -> None:
        """The task has ended."""
        self._took[self._task] = self._clock() - self._started

    def left_s(self, due: Sequence[str]) -> float | None:
        """How long the tasks `due` will take again; None where one was not evaluated before."""
        known = [self._took[task] for task in due if task in self._took]
        return sum(known) if len(known) == len(due) else None

    def _report(self, total_s: float, left_s: float) -> None:
        said_s = self._said.get(self._task, 0.0)
        is_off = not total_s / _FAR_OFF < said_s < total_s * _FAR_OFF
        if left_s >= _LEFT_S and is_off:
            self._said[self._task] = total_s
            answered = f"judging by the first {self._answers.share:.0%} of its answers"
            self._say(f"{self._task}: about {duration(total_s)}, {answered}")
