"""What a model may take in one night, and what it has taken: `budget` of its catalogue entry.

Belongs here: adding up a night's runs of a model, and asking a run to end that is over the budget. It ends as after
SIGTERM (`interruption`). Whoever starts the model's next run asks `excess` whether anything is left.
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
    "what was finished is kept, the rest is due in the next night; raise the entry's `budget` in the catalogue, or ask "
    "fewer documents (`limit`)"
)


def spent_since(landing: Path, entry: ModelEntry, since: datetime) -> Spent:
    """What the model's runs have taken since a night began.

    A run that was killed counts with its time up to its last sign of life; its energy is not known.
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
    """Which budget is used up, and by how much it was exceeded; None where there is some left."""
    if budget is None:
        return None
    if budget.time is not None and spent.duration_s >= (allowed_s := budget.time.total_seconds()):
        over = f"{in_words(spent.duration_s - allowed_s)} ({in_words(spent.duration_s)} taken)"
        return f"over its time budget of {in_words(allowed_s)} by {over}"
    if budget.energy_kwh is not None and spent.energy_kwh is not None and spent.energy_kwh >= budget.energy_kwh:
        over = f"{spent.energy_kwh - budget.energy_kwh:.3g} kWh ({spent.energy_kwh:.4g} kWh taken)"
        return f"over its energy budget of {budget.energy_kwh:g} kWh by {over}"
    return None


class Watch:
    """Asks a run to end when its model is over its budget.

    `spent` tells what the night's runs of the model have taken with all settled windows of this one, `open_kwh` the
    energy of what is not settled yet, None where that is not known.
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
        """While the run lives; inside the interruption's `watching`, which must see the last signal."""
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
        """Ask the run to end where the energy that is known by now is over the budget."""
        if self._energy_kwh is None or (settled_kwh := self._spent().energy_kwh) is None:
            return
        if settled_kwh + (self._open_kwh() or 0.0) >= self._energy_kwh:
            self._interruption.ask(OverBudget("over its energy budget"))

    def reason(self) -> str:
        """Why the run was asked to end, after its last window is settled."""
        over = excess(self._budget, self._spent())
        if over is None:  # the sensor's running figure had reached what the settled one has not
            over = f"at its energy budget of {self._energy_kwh:g} kWh ({self._spent().energy_kwh:.4g} kWh taken)"
        return f"{over}: {REMEDY}"

    def note(self) -> str | None:
        """What the budget could not be held to; None where there is nothing to say."""
        if self._energy_kwh is None or self._spent().energy_kwh is not None:
            return None
        rest = "only its time budget is" if self._time is not None else "and it has no time budget"
        return f"its energy budget of {self._energy_kwh:g} kWh is not enforced, because its energy is not known; {rest}"

    def _time_is_up(self) -> None:
        self._interruption.ask(OverBudget("over its time budget"))
        os.kill(os.getpid(), signal.SIGTERM)  # wakes the main thread out of what it is in
