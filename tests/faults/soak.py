"""The soak: random kills over a whole nightly refresh, with readers at full speed. Run by `make soak`, not by pytest.

A refresh here is what the job `refresh` does: load, dbt with all its tests, publish. Each one is a process that is
killed at a random moment of a random phase and started again, until the wanted number of kills. Between them nights
land, and before the next one a refresh ends undisturbed, so that the readers see new versions. In the end the marts
must be those of a home where nothing was killed.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import click
import duckdb
from tqdm import tqdm

from orchestration.home import Home
from tests.support.processes import Started, python
from tests.support.readers import Seen, readers
from tests.support.two_nights import land_night

NIGHTS = 10
SEED = 20
# A kill that is to come in the last phase waits for the others, so there are fewer of them; without these shares nearly
# all would come in dbt, which takes nearly all of the time.
SHARES = {"load": 0.1, "dbt": 0.8, "publish": 0.1}
# The readers take what the refresh leaves: on two cores it would not get far before its kill otherwise.
NICENESS = 10

# Says which phase it is in; dbt is a process of its own in the same session, and dies with it.
REFRESH = """
import sys, time
from pathlib import Path
from tests.support.dbt_runner import dbt_build
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from orchestration.home import Home
home = Home(Path(sys.argv[1]))
def say(phase):
    print(f"phase {phase} at {time.monotonic()}", flush=True)
with warehouse.refresh_lock(home):
    say("load")
    assert not warehouse.load(home).quarantined
    say("dbt")
    dbt_build(home, "--exclude-resource-type", "unit_test")
    say("publish")
    publication.publish(home)
    say("done")
"""


@click.command()
@click.option("--kills", default=200, show_default=True, help="How many refreshes are killed.")
@click.option("--readers", "number", default=2, show_default=True, help="How many processes read at the same time.")
def main(kills: int, number: int) -> None:
    """Kill refreshes at random moments while readers read; exit 1 where anybody saw anything wrong."""
    with tempfile.TemporaryDirectory(prefix="evalwatt-soak-") as scratch:
        home, undisturbed = Home(Path(scratch, "home")), Home(Path(scratch, "undisturbed"))
        land_night(home, 0)
        _refresh_undisturbed(home)
        with readers(home.path, Path(scratch), number, NICENESS) as seen:
            phases = _kill(home, kills)
            land_night(home, NIGHTS)
            _refresh_undisturbed(home)
        shutil.copytree(home.landing, undisturbed.landing)
        _refresh_undisturbed(undisturbed)
        equal = _marts(home) == _marts(undisturbed)
    _tell(phases, seen, equal)
    sys.exit(0 if equal and not (seen.errors or seen.torn or seen.backwards) else 1)


def _kill(home: Home, kills: int) -> Counter[str]:
    """Kills by the phase that they came in; a refresh that ended first does not count, and another one starts."""
    chance, phases, nights = random.Random(SEED), Counter[str](), 0
    durations_s: dict[str, float] = {}
    with tqdm(total=kills, unit="kill") as bar:
        while phases.total() < kills:
            if phases.total() * (NIGHTS - 1) >= nights * kills:
                durations_s = _refresh_undisturbed(home)
                nights += 1
                land_night(home, nights)
            (wanted,) = chance.choices(list(SHARES), list(SHARES.values()))
            with _refresh(home) as refresh:
                refresh.wait_for(f"phase {wanted}", 600)
                time.sleep(chance.uniform(0, durations_s[wanted]))  # the moment is the fault
                phase = refresh.said.rsplit("phase ", 1)[1].split()[0]
                refresh.kill_all()
                if phase == "done":
                    continue
                if refresh.process.returncode == -signal.SIGKILL:
                    phases[phase] += 1
                    bar.update()
                else:
                    raise click.ClickException(f"a refresh after a kill failed:\n{refresh.said[-3000:]}")
    return phases


def _refresh(home: Home) -> AbstractContextManager[Started]:
    return python("-c", REFRESH, home.path)


def _refresh_undisturbed(home: Home) -> dict[str, float]:
    """Seconds that each phase took."""
    with _refresh(home) as refresh:
        if refresh.end() != 0:
            raise click.ClickException(f"a refresh that nobody killed failed:\n{refresh.said[-3000:]}")
        moments = {phase: float(at) for phase, at in re.findall(r"^phase (\w+) at (\S+)$", refresh.said, re.MULTILINE)}
    return {phase: end - start for (phase, start), (_, end) in pairwise(moments.items())}


def _marts(home: Home) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(home.marts, read_only=True) as connection:
        names = connection.sql("select table_name from duckdb_tables() where table_name <> 'publication'").fetchall()
        return {name: connection.sql(f"from {name} order by all").fetchall() for (name,) in names}


def _tell(phases: Counter[str], seen: Seen, equal: bool) -> None:
    by_phase = ", ".join(f"{phase} {count}" for phase, count in phases.most_common())
    facts = {
        "kills": f"{phases.total()} ({by_phase})",
        "reads": seen.reads,
        "versions seen by one reader": len(seen.builds),
        "readers' errors": len(seen.errors),
        "torn reads": seen.torn,
        "versions backwards": seen.backwards,
        "marts at the end": "equal to the undisturbed" if equal else "NOT equal to the undisturbed",
    }
    print("\n".join(f"| {name} | {value} |" for name, value in facts.items()))
    for error in seen.errors[:5]:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
