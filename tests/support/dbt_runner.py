"""Runs dbt as a process of its own on a home, as the pipeline does: in one process its state would leak."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from orchestration.home import DBT_PROJECT, Home

# dbt as a program for `python -c`, where a test kills its process.
DBT = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"


def dbt(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one dbt command; the caller looks at the return code."""
    environment = os.environ | {
        "EVALWATT_HOME": str(home.path),
        "DBT_TARGET_PATH": str(home.dbt_target),
        "DBT_LOG_PATH": str(home.dbt_target),
    }
    return subprocess.run(
        [Path(sys.executable).parent / "dbt", "--no-use-colors", *arguments, "--profiles-dir", "."],
        cwd=DBT_PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def dbt_build(home: Home, *arguments: str) -> None:
    """Build and test everything; fails the test with dbt's own words."""
    done = dbt(home, "build", *arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
