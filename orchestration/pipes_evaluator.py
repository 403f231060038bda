"""The evaluator process as Dagster starts it: `python -m orchestration.pipes_evaluator SPEC.json`.

Like `python -m evaluators`, but it also reports to Dagster through Pipes: a log line per task, and the run's summary at
the end. A failed evaluation is a result (exit code 0, with its reason); other exit codes are crashes.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from dagster_pipes import PipesContext, open_dagster_pipes

from evaluators import environment


def main(spec_file: Path) -> int:
    """Evaluate the spec. Returns the exit code."""
    from evaluators.harness.interruption import Interrupted
    from evaluators.process.run import evaluate
    from evaluators.redaction import redact
    from evaluators.spec import read
    from evaluators.summary import TaskSummary

    with open_dagster_pipes() as pipes:

        def report(task: TaskSummary) -> None:
            energy = "energy not known" if task.energy_kwh is None else f"{task.energy_kwh * 1000:.3g} Wh"
            pipes.log.info(
                f"{task.name}: {task.metric} {task.score:.3f}, {energy} ({task.energy_method}), {task.duration_s:.1f} s"
            )

        try:
            summary = evaluate(read(spec_file), report)
        except Interrupted as error:
            return _stopped(pipes, f"{error}; what was finished is kept", 130)
        except (OSError, ValueError) as error:
            return _stopped(pipes, redact(str(error)), 1)
        pipes.report_custom_message(dataclasses.asdict(summary))
    return 0


def _stopped(pipes: PipesContext, reason: str, code: int) -> int:
    pipes.log.error(reason)
    print(reason, file=sys.stderr)
    return code


if __name__ == "__main__":
    environment.prepare()
    from evaluators.process.guard import guarded
    from evaluators.redaction import standard_streams_redacted

    with guarded(), standard_streams_redacted():
        sys.exit(main(Path(sys.argv[1])))
