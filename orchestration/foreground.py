"""Runs Dagster's jobs in this process, on the instance that the UI shows, for `evalwatt run` and similar verbs.

Evaluators write to standard error; standard output has only the verb's answer.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluators.terminal import TTY_VARIABLE
from orchestration.home import Home, catalogue_path
from orchestration.instance.failures import reasons
from orchestration.instance.names import CANCEL_TAG, NIGHT, NIGHT_TAG

if TYPE_CHECKING:
    import dagster as dg

    from evaluators.catalogue.entries import Settings
    from orchestration.nights.message import Message

# The verbs report errors with their remedies; Dagster keeps the details for its UI.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_PUBLICATION = "publication"  # the asset


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `reasons` say why it failed, and are empty if it succeeded."""

    run_id: str
    succeeded: bool
    reasons: tuple[str, ...]
    published: bool = False  # also true for a refresh whose report failed

    @property
    def what_failed(self) -> str:
        """What failed in a refresh that did not succeed."""
        return "the marts are published, but the report was not written" if self.published else "nothing was published"


class Foreground:
    """The installation's definitions and its instance."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
        self._instance = instance
        self._definitions = definitions

    def read_catalogue(self) -> Outcome:
        return self._run("read_catalogue")

    def evaluate(self, model: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> Outcome:
        """Evaluate what is due for a model: one partition."""
        ops = {"ops": {"model_evaluations": {"config": dict(config)}}}
        return self._run("evaluate_model", config=ops, partition_key=model, tags=dict(tags))

    def is_canceled(self, night: str) -> bool:
        """Whether somebody canceled the night (`evalwatt cancel`)."""
        import dagster as dg

        return bool(self._instance.get_runs(dg.RunsFilter(tags={NIGHT_TAG: night, CANCEL_TAG: NIGHT}), limit=1))

    def message(
        self, home: Home, settings: Settings, night: str, refreshed: Outcome, not_begun: Sequence[str]
    ) -> Message:
        """The night's message."""
        from orchestration.nights.report import report

        refresh = self._instance.get_run_by_id(refreshed.run_id)
        return report(self._instance, home, settings, night, refresh, not_begun=not_begun)

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
            tuple(reasons(result.all_events)),
            _PUBLICATION in {key and key.path[-1] for key in made},
        )


@contextmanager
def foreground(home: Home) -> Iterator[Foreground]:
    """Open the instance and load the definitions. Raises CatalogueError and ManifestError."""
    if sys.stderr.isatty():
        os.environ[TTY_VARIABLE] = os.ttyname(
            sys.stderr.fileno()
        )  # Dagster captures stderr; the progress bar needs the terminal
    os.environ["DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH"] = "0.2"  # else the last lines may be lost
    warnings.simplefilter("ignore")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    from evaluators.catalogue.entries import load
    from orchestration.definitions import build_defs
    from orchestration.instance.housekeeping import delete_old_runs
    from orchestration.instance.janitor import close_dead_runs
    from orchestration.instance.opening import open_instance

    definitions = build_defs()
    with open_instance(home) as instance:
        close_dead_runs(instance, home)
        delete_old_runs(instance, home, load(catalogue_path()).settings.keep_runs)
        yield Foreground(instance, definitions)


def _is_interruption(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error if event.is_step_failure else None
    while error is not None and error.cls_name != "DagsterExecutionInterruptedError":
        error = error.cause
    return error is not None


@contextmanager
def _keep_standard_output_clean() -> Iterator[None]:
    """Hide what Dagster and dbt print, which the UI shows too; --debug sends it to standard error."""
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
