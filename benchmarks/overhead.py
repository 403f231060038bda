"""What metering costs: the pipeline's inference windows against the same engine without metering.

Both sides share one loaded model. Each task's requests are answered in the order plain, metered, metered, plain, so
that a drift of the machine affects both; the ratio is the pipeline's window, by its own clock, over the plain call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.subject import scratch, subject, table
from evaluators import engines
from evaluators.energy import Ledger, make_meter
from evaluators.harness.asking import requests_of
from evaluators.harness.interruption import Interruption
from evaluators.harness.lm_eval_tasks import Harness, LoadedTask
from evaluators.harness.metered import MeteredLM, warm_up

ROUNDS = 2


def main() -> None:
    """Print a table of ratios, one row per task, and the ratio over all of them."""
    catalogue, entry, suite, local = subject()
    engine = engines.load(entry.engine, local.path, dtype=entry.dtype, device="cpu", batch_size=entry.batch_size)
    meter = make_meter("codecarbon", country_iso_code=catalogue.settings.country_iso_code)
    ledger = Ledger(meter)
    metered = MeteredLM(engine, ledger, Interruption(), lambda: None)
    warm_up(engine)
    rows: list[tuple[str, ...]] = [("task", "requests", "bare s", "pipeline s", "ratio")]
    plain_total = metered_total = 0.0
    with scratch() as folder:
        tasks, failures = Harness(suite, catalogue.path.parent, Path(folder)).load(entry.chat_template)
    if failures:
        raise SystemExit(f"tasks could not be loaded: {failures}")
    for task in tasks:
        plain_s, metered_s, requests = _compare(task, engine, ledger, metered)
        plain_total += plain_s
        metered_total += metered_s
        rows.append((task.name, str(requests), f"{plain_s:.2f}", f"{metered_s:.2f}", f"{metered_s / plain_s:.3f}"))
    rows.append(("all", "", f"{plain_total:.2f}", f"{metered_total:.2f}", f"{metered_total / plain_total:.3f}"))
    print("\n### Overhead of metering\n")
    print(table(rows))
    meter.close()


def _compare(task: LoadedTask, engine: engines.Engine, ledger: Ledger, metered: MeteredLM) -> tuple[float, float, int]:
    """Median seconds of the plain and of the metered call, and the number of requests."""
    requests = requests_of(task, metered, task.documents)
    kind = requests[0].request_type

    def plain() -> float:
        started = time.perf_counter()
        getattr(engine.lm, kind)(requests, disable_tqdm=True)
        return time.perf_counter() - started

    def windowed() -> float:
        ledger.switch("scoring")
        getattr(metered, kind)(requests)
        return ledger.settle()["inference"].duration_s

    sides: dict[Callable[[], float], list[float]] = {plain: [], windowed: []}
    for _ in range(ROUNDS):
        for side in (plain, windowed, windowed, plain):
            sides[side].append(side())
    return statistics.median(sides[plain]), statistics.median(sides[windowed]), len(requests)
