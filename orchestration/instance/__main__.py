"""`python -m orchestration.instance` prepares the instance, closes runs whose process died, and prints its folder,
the value for DAGSTER_HOME."""

from __future__ import annotations

import sys

from orchestration.home import Home, HomeRefused
from orchestration.instance.janitor import REASON, close_dead_runs
from orchestration.instance.opening import open_instance

try:
    home = Home.from_env()
except HomeRefused as refused:
    sys.exit(str(refused))
with open_instance(home) as opened:
    for run_id in close_dead_runs(opened, home):
        print(f"closed Dagster's run {run_id}: {REASON}", file=sys.stderr)
    print(opened.root_directory)
