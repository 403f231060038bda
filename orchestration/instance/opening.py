"""The Dagster instance of an EVALWATT_HOME: writes its settings on first use, and opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.home import Home
from orchestration.instance.names import DEVICE_POOL, WAREHOUSE_POOL

if TYPE_CHECKING:
    from dagster import DagsterInstance


DAGSTER_YAML = """\
# Written by Evalwatt on first use; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false

# A pool is a resource that exists once: the device, the warehouse. A run that needs an occupied pool stays in the
# queue; the slot is free as soon as its holder has ended, however it ended.
concurrency:
  pools:
    default_limit: 1
    granularity: run
  runs:
    max_concurrent_runs: 4

# Without a maximum runtime Dagster never closes the run of a worker that died with its host.
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  max_runtime_seconds: 86400
  poll_interval_seconds: 30

# A crashed worker is restarted once; a failed evaluation is not, because it would fail again.
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false

# The daemon checks whether the marts are as fresh as a nightly refresh keeps them.
freshness:
  enabled: true

retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 1
      started: 1
      failure: 30
      success: 90

code_servers:
  local_startup_timeout: 180
"""


def prepare(home: Home) -> Path:
    """The folder for DAGSTER_HOME, with its dagster.yaml."""
    home.dagster.mkdir(parents=True, exist_ok=True)
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        settings.write_text(DAGSTER_YAML, encoding="utf-8")
    return home.dagster


def has_instance(home: Home) -> bool:
    """Whether anything has run here; opening the instance would create it."""
    return (home.dagster / "dagster.yaml").exists()


def open_instance(home: Home) -> DagsterInstance:
    """The instance, for use as a context manager, with its pools."""
    from dagster import DagsterInstance

    instance = DagsterInstance.from_config(str(prepare(home)))
    known = set(instance.event_log_storage.get_concurrency_keys())
    for pool in {DEVICE_POOL, WAREHOUSE_POOL} - known:
        # Dagster applies a pool's default limit only after it has let the first runs through (seen with 1.13.27).
        instance.event_log_storage.initialize_concurrency_limit_to_default(pool)
    return instance
