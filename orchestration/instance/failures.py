"""Why a Dagster run failed, in words written for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg

_DBT_WORDS = "Errors parsed from dbt logs:"  # dagster-dbt's words before dbt's own error


def reasons(events: Iterable[dg.DagsterEvent]) -> Iterator[str]:
    """One reason per failed step, or the run's own if no step started."""
    for event in events:
        if event.is_step_failure:
            failure = event.step_failure_data
            words = failure.user_failure_data and failure.user_failure_data.description
            yield _dbts_own(words or innermost(failure.error))
        elif event.event_type_value == "RUN_FAILURE" and event.job_failure_data.error:
            yield innermost(event.job_failure_data.error)


def innermost(error: Any) -> str:
    """The message of the error at the root of the chain."""
    while error.cause:
        error = error.cause
    # Dagster puts the error's class before the message.
    return re.sub(rf"^[\w.]*{error.cls_name}: ", "", str(error.message)).strip()


def _dbts_own(words: str) -> str:
    return (words.partition(_DBT_WORDS)[2] or words).strip()
