"""A model's night budget, `budget` in its catalogue entry, and how much of it is used.

Belongs here: adding up a night's runs of a model, and asking a run to end when it exceeds the budget. The run ends as
after SIGTERM (`interruption`). Before the model's next run starts, `excess` says whether anything is left.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from evaluators.catalogue.entries import BudgetEntry, ModelEntry
from evaluators.harness.interruption import Interruption, OverBudget
from evaluators.landing.runs import runs_by_workload
from evaluators.spec import Spent
from evaluators.wording import in_words

REMEDY = (
    "what was finished is kept, the rest is due the next night; raise the entry's `budget` in the catalogue, or lower "
    "the `limit` of documents"
)


def spent_since(landing: Path, entry: ModelEntry, since: datetime) -> Spent:
    """What the model's runs have used since a night began.

    A run that was killed counts with its time until it last wrote a file; its energy is unknown.
    """
    spent = Spent()
    tonight = runs_by_workload(landing, since)
    for run in (run for suite in entry.suites for run in tonight.get((entry.name, suite), ())):
        if (summary := run.summary) is not None:
            spent += Spent(summary.duration_s, summary.energy_kwh if summary.tasks else 0.0)
        else:
            last = max(path.stat().st_mtime for path in run.folder.iterdir())
            spent += Spent(max(last - run.time.timestamp(), 0.0), None)
    return spent


def excess(budget: BudgetEntry | None, spent: Spent) -> str | None:
    """The budget that is used up, and by how much it was exceeded; None where some is left."""
    if budget is None:
        return None
    if budget.time is not None and spent.duration_s >= (allowed_s := budget.time.total_seconds()):
        over = f"{in_words(spent.duration_s - allowed_s)} ({in_words(spent.duration_s)} used)"
        return f"over its time budget of {in_words(allowed_s)} by {over}"
    if budget.energy_kwh is not None and spent.energy_kwh is not None and spent.energy_kwh >= budget.energy_kwh:
        over = f"{spent.energy_kwh - budget.energy_kwh:.3g} kWh ({spent.energy_kwh:.4g} kWh used)"
        return f"over its energy budget of {budget.energy_kwh:g} kWh by {over}"
    return None


class Watch:
    """Asks a run to end when its model exceeds its night budget.

    `spent` returns what the night's runs of the model have used, including all settled windows of this run, `open_kwh`
    the energy of unsettled windows, None where that is unknown.
    """

    def __init__(
        self,
        budget: BudgetEntry | None,
        interruption: Interruption,
        spent: Callable[[], Spent],
        open_kwh: Callable[[], float | None],
    ) -> None:
        self._time = budget.time if budget is not None else None
        self._energy_kwh = budget.energy_kwh if budget is not None else None
        self._budget = budget
        self._interruption = interruption
        self._spent = spent
        self._open_kwh = open_kwh

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch the time while the run lasts; inside the interruption's `watching`, which must see the last signal."""
        if self._time is None:
            yield
            return
        left_s = self._time.total_seconds() - self._spent().duration_s
        clock = threading.Timer(max(left_s, 0.0), self._time_is_up)
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()
            clock.join()

    def look(self) -> None:
        """Ask the run to end where the energy known so far exceeds the budget."""
        if self._energy_kwh is None or (settled_kwh := self._spent().energy_kwh) is None:
            return
        if settled_kwh + (self._open_kwh() or 0.0) >= self._energy_kwh:
            self._interruption.ask(OverBudget("over its energy budget"))

    def reason(self) -> str:
        """Why the run was asked to end, after its last window is settled."""
        over = excess(self._budget, self._spent())
        if over is None:  # the sensor's running figure had reached the budget, the settled one has not
            over = f"at its energy budget of {self._energy_kwh:g} kWh ({self._spent().energy_kwh:.4g} kWh used)"
        return f"{over}: {REMEDY}"

    def note(self) -> str | None:
        """Which part of the budget could not be enforced; None where all of it was."""
        if self._energy_kwh is None or self._spent().energy_kwh is not None:
            return None
        rest = "only its time budget is" if self._time is not None else "it has no time budget"
        return f"its energy budget of {self._energy_kwh:g} kWh is not enforced, because its energy is unknown; {rest}"

    def _time_is_up(self) -> None:
        self._interruption.ask(OverBudget("over its time budget"))
        os.kill(os.getpid(), signal.SIGTERM)  # interrupts what the main thread is doing
