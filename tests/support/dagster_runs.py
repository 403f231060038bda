"""Runs of Dagster, ended without a worker."""

from __future__ import annotations

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.events import JobFailureData, RunFailureReason


def end(instance: DagsterInstance, run: dg.DagsterRun, status: DagsterRunStatus) -> None:
    """Through the event log, as a run worker reports it: that sets the run's end time."""
    events = {
        DagsterRunStatus.SUCCESS: dg.DagsterEventType.PIPELINE_SUCCESS,
        DagsterRunStatus.FAILURE: dg.DagsterEventType.PIPELINE_FAILURE,
        DagsterRunStatus.CANCELED: dg.DagsterEventType.PIPELINE_CANCELED,
    }
    failed = status == DagsterRunStatus.FAILURE
    event = dg.DagsterEvent(
        event_type_value=events.get(status, dg.DagsterEventType.PIPELINE_START).value,
        job_name=run.job_name,
        # A step that failed is not retried, a worker that crashed is.
        event_specific_data=JobFailureData(None, failure_reason=RunFailureReason.STEP_FAILURE) if failed else None,
    )
    instance.report_dagster_event(event, run.run_id)
