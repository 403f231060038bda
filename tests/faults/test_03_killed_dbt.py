"""Fault 3: kill -9 during dbt, at random moments.

The published marts go on being served; the next refresh succeeds.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestration.home import DBT_PROJECT, MARTS_FILE, Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import DBT, dbt_build
from tests.support.processes import python
from tests.support.two_nights import SOME_MARTS, Nights

Marts = Callable[[Path], dict[str, list[tuple[Any, ...]]]]

KILLS = 3
RUNS_FOR_S = 6.0  # about as long as dbt works on the tables, once it has begun


def test_03_a_killed_build_is_served_to_nobody_and_the_next_one_succeeds(
    home_before: Home, nights: Nights, marts: Marts
) -> None:
    home, moments = home_before, random.Random(3)
    warehouse.load(home)
    served = marts(nights.before.current / MARTS_FILE)
    environment = {"EVALWATT_HOME": str(home.path), "DBT_TARGET_PATH": str(home.dbt_target)}
    environment["DBT_LOG_PATH"] = str(home.dbt_target)
    for _ in range(KILLS):
        with python(
            *("-c", DBT, "--no-use-colors", "build", *SOME_MARTS, "--profiles-dir", "."),
            cwd=DBT_PROJECT,
            environment=environment,
        ) as dbt:
            dbt.wait_for("Concurrency: ")
            time.sleep(moments.uniform(0, RUNS_FOR_S))  # the moment is the fault: nothing is waited for
            assert marts(home.marts) == served
            if dbt.process.poll() is None:
                assert dbt.kill() == -signal.SIGKILL
        assert marts(home.marts) == served

    assert warehouse.load(home).loaded_bundles == 0
    dbt_build(home, *SOME_MARTS)
    publication.publish(home)
    undisturbed = marts(nights.after.current / MARTS_FILE)
    assert undisturbed != served
    assert marts(home.marts) == undisturbed
