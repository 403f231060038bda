"""Dagster's jobs run in this process, on the instance that the UI shows: what `evalwatt run` and its siblings use.

Evaluators talk on standard error; standard output has nothing but the verb's answer.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluators.progress import TTY_VARIABLE
from orchestration.home import Home

if TYPE_CHECKING:
    import dagster as dg

# Errors are told by the verbs, with their remedies; Dagster keeps the details for its UI.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_PUBLICATION = "publication"  # the asset
_DBT_WORDS = "Errors parsed from dbt logs:"  # what dagster-dbt puts before dbt's own error


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `reasons` say why it failed, and are empty where it did not."""

    run_id: str
    succeeded: bool
    reasons: tuple[str, ...]
    published: bool = False  # a refresh whose report failed has published

    @property
    def what_failed(self) -> str:
        """Of a refresh that did not succeed."""
        return "the marts are published, the report is not written" if self.published else "nothing was published"


class Foreground:
    """The installation's definitions and its instance."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
        self._instance = instance
        self._definitions = definitions

    def read_catalogue(self) -> Outcome:
        return self._run("read_catalogue")

    def evaluate(self, model: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> Outcome:
        """Evaluate what is due of a model: one partition."""
        ops = {"ops": {"model_evaluations": {"config": dict(config)}}}
        return self._run("evaluate_model", config=ops, partition_key=model, tags=dict(tags))

    def refresh(self) -> Outcome:
        """Load, build, check, publish, write the report."""
        return self._run("refresh")

    def _run(self, job: str, config: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
        definition = self._definitions.resolve_job_def(job)
        with _keep_standard_output_clean():
            result = definition.execute_in_process(
                run_config={**_QUIET, **(config or {})}, instance=self._instance, raise_on_error=False, **options
            )
        if any(_is_interruption(event) for event in result.all_events):
            raise KeyboardInterrupt
        made = {event.asset_key for event in result.all_events if event.is_step_materialization}
        return Outcome(
            result.run_id,
            result.success,
            tuple(_reasons(result)),
            _PUBLICATION in {key and key.path[-1] for key in made},
        )


@contextmanager
def foreground(home: Home) -> Iterator[Foreground]:
    """Open the instance and load the definitions. Raises CatalogueError and ManifestError."""
    if sys.stderr.isatty():
        os.environ[TTY_VARIABLE] = os.ttyname(sys.stderr.fileno())  # Dagster captures stderr; the bar needs a terminal
    os.environ["DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH"] = "0.2"  # else the last lines may be lost
    warnings.simplefilter("ignore")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    from orchestration.definitions import build_defs
    from orchestration.instance import open_instance
    from orchestration.janitor import close_dead_runs

    definitions = build_defs()
    with open_instance(home) as instance:
        close_dead_runs(instance, home)
        yield Foreground(instance, definitions)


def _is_interruption(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error if event.is_step_failure else None
    while error is not None and error.cls_name != "DagsterExecutionInterruptedError":
        error = error.cause
    return error is not None


def _reasons(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            words = failure.user_failure_data and failure.user_failure_data.description
            yield _dbts_own(words or _innermost(failure.error))
        elif event.event_type_value == "RUN_FAILURE" and event.job_failure_data.error:
            yield _innermost(event.job_failure_data.error)


def _innermost(error: Any) -> str:
    while error.cause:
        error = error.cause
    # Dagster puts the class before the words; the words are written for people.
    return re.sub(rf"^[\w.]*{error.cls_name}: ", "", str(error.message)).strip()


def _dbts_own(words: str) -> str:
    return (words.partition(_DBT_WORDS)[2] or words).strip()


@contextmanager
def _keep_standard_output_clean() -> Iterator[None]:
    """What Dagster and dbt print is in the UI; it is shown here only to debug."""
    sys.stdout.flush()
    kept = os.dup(1)
    other = os.dup(2) if os.environ.get("EVALWATT_DEBUG") else os.open(os.devnull, os.O_WRONLY)
    os.dup2(other, 1)
    os.close(other)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
