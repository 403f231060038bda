"""What this machine is evaluating at the moment, for other processes to read: `locks/evaluating.json`.

The process that holds the device writes it, at most every two seconds. `evalwatt status` reads it, and so does
`evalwatt cancel`, to find the process to stop. A file left by a killed process is ignored: its run's lock is free.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from evaluators.landing import lifecycle
from evaluators.landing.runs import read_json

_EVERY_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluating:
    """The state of a run. `task` is None while the model is fetched, loaded and warmed up; `since` is the run's start.

    Tasks are counted from 1, including repetitions; `requests` is how many the task will probably send.
    """

    process_id: int
    run_id: str
    model: str
    suite: str
    task: str | None
    number: int
    tasks: int
    requests_done: int
    requests: int
    since: str


class Activity:
    """Keeps the file of one run up to date while it is open."""

    def __init__(self, home: Path, run_id: str, model: str, suite: str) -> None:
        self._path = _path(home)
        self._moment = Evaluating(os.getpid(), run_id, model, suite, None, 0, 0, 0, 0, since="")
        self._written = 0.0

    def begin(self) -> None:
        """The run has the device."""
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        self._moment = dataclasses.replace(self._moment, since=begun)
        self._write()

    def start(self, task: str, number: int, tasks: int, requests: int) -> None:
        """A task begins."""
        self._moment = dataclasses.replace(
            self._moment, task=task, number=number, tasks=tasks, requests_done=0, requests=requests
        )
        self._write()

    def tick(self) -> None:
        """A request is answered."""
        self._moment = dataclasses.replace(self._moment, requests_done=self._moment.requests_done + 1)
        if time.monotonic() - self._written >= _EVERY_S:
            self._write()

    def close(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = time.monotonic()
        unseen = self._path.with_suffix(".new")
        with suppress(OSError):  # an evaluation must not fail because its activity cannot be written
            unseen.write_text(json.dumps(dataclasses.asdict(self._moment)))
            unseen.replace(self._path)


def read(home: Path) -> Evaluating | None:
    """What is being evaluated; None where nothing is, or the process has ended."""
    found = read_json(_path(home))
    if found is None or not lifecycle.lives(home / "landing", found["run_id"]):
        return None
    return Evaluating(**found)


def _path(home: Path) -> Path:
    return home / "locks" / "evaluating.json"
