"""`evalwatt cancel` and an evaluator that does not end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from evaluators.process import activity
from orchestration.home import Home
from orchestration.instance.names import PARTITION_TAG
from orchestration.nights.cancellation import cancel

_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"


def test_what_is_killed_and_nobody_has_waited_for_is_killed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with (
        DagsterInstance.ephemeral() as instance,
        subprocess.Popen([sys.executable, "-c", _DEAF], stdout=subprocess.PIPE) as evaluator,
    ):
        assert evaluator.stdout is not None
        evaluator.stdout.readline()
        moment = activity.Evaluating(evaluator.pid, "R", "tiny", "tiny", None, 0, 0, 0, 0, "")
        monkeypatch.setattr(activity, "read", lambda home: moment)
        tags = {PARTITION_TAG: "tiny"}
        run = create_run_for_test(instance, job_name="evaluate", status=DagsterRunStatus.STARTED, tags=tags)
        canceled = cancel(instance, Home(tmp_path), [run], "run", "why", said.append, kill_s=0, wait_s=1)
    assert canceled.still_running == ["tiny"]  # Dagster is not told here
    assert [words for words in said if "killed it" in words] == said[1:]
    assert len(said) == 2
