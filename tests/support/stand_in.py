"""An evaluator's process that evaluates nothing, for Dagster to start."""

from __future__ import annotations

import sys
from typing import Any

import dagster as dg

# What the evaluator's process does, without evaluating: model `slow` is killed, `weak` fails, others are well.
STAND_IN = """
import json, os, signal, sys
from dagster_pipes import open_dagster_pipes
spec = json.load(open(sys.argv[1]))
with open_dagster_pipes() as pipes:
    name = spec["model"]["name"]
    if name == "slow":
        os.kill(os.getpid(), signal.SIGKILL)
    task = dict(task="tiny_one", metric="acc", score=0.5, stderr=0.1, documents=6, duration_s=3.0, energy_kwh=0.002,
                energy_method="modelled", tokens_prompt=60, tokens_generated=12,
                tokens_computed=1234, tokens_unshared=12345)
    failed = name == "weak"
    pipes.report_custom_message(dict(
        run_id=spec["run_id"], model=name, suite=spec["suite"]["name"], status="failed" if failed else "completed",
        reason="no tokenizer; add one" if failed else None, duration_s=4.0, energy_kwh=None if failed else 0.002,
        tasks=[] if failed else [task], reused=["tiny_two"], failures={}))
"""


class StandIn(dg.PipesSubprocessClient):
    """A Pipes client that starts the stand-in instead of the evaluator."""

    def run(self, *, context: Any, command: Any, **options: Any) -> Any:  # type: ignore[override]
        return super().run(context=context, command=[sys.executable, "-c", STAND_IN, command[-1]], **options)
