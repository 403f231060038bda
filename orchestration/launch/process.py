"""One evaluator process: starts it through Dagster Pipes, and puts its end into words."""

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError  # not exported publicly

from evaluators import machine
from evaluators.landing import lifecycle
from evaluators.spec import RunSpec
from evaluators.summary import RunSummary

STOPPED = "stopped by a signal; what was finished is kept, and the rest is due the next night"
_IN_THE_LOG = "its output is in the run's log (stderr)"


def evaluate(
    context: dg.AssetExecutionContext,
    evaluator: dg.PipesSubprocessClient,
    spec: RunSpec,
    is_canceled: Callable[[], bool],
) -> RunSummary:
    """Evaluate the spec in a process of its own. A crash leaves no summary, so it gets one here."""
    with tempfile.TemporaryDirectory(prefix="evalwatt-") as folder:
        file = Path(folder, "spec.json")
        file.write_text(spec.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "orchestration.pipes_evaluator", str(file)]
        kills_before = machine.memory_kills()
        try:
            messages = evaluator.run(context=context, command=command).get_custom_messages()
        except DagsterPipesExecutionError as error:
            for_memory = machine.memory_kills() > kills_before
            status, reason = _end_of_process(str(error), for_memory=for_memory, canceled=is_canceled())
            with contextlib.suppress(OSError):  # on a full disk the loader does it later
                lifecycle.close(spec.landing, spec.run_id, status, reason)
            words = reason if reason == STOPPED else f"{reason}; {_IN_THE_LOG}"
            return RunSummary.of_none(spec.run_id, spec.model.name, spec.suite.name, words)
    if messages:
        return RunSummary.from_json(messages[-1])
    words = f"the evaluator ended without a summary; {_IN_THE_LOG}"
    return RunSummary.of_none(spec.run_id, spec.model.name, spec.suite.name, words)


def _end_of_process(error: str, *, for_memory: bool, canceled: bool) -> tuple[str, str]:
    """A crashed evaluator's status and reason. `for_memory`: the kernel killed for memory while it ran."""
    if canceled or error.endswith(("code 130", "code -15", "code -2")):
        return "interrupted", STOPPED
    if not error.endswith("code -9"):
        return "failed", error
    if not for_memory:
        return "interrupted", f"{error}: killed; if nobody killed it, memory ran out"
    return "failed", f"{error}: killed for memory; give it more, or choose a smaller batch_size, dtype or model"
