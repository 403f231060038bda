"""The soak: random kills over a whole nightly refresh, with readers at full speed. Run by `make soak`, not by pytest.

A refresh here is what the job `refresh` does: load, dbt with all its tests, publish. Each one is a process that is
killed at a random moment and started again, until the wanted number of kills; between them, nights land. In the end
the marts must be those of a home where nothing was killed.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import click
import duckdb
from conftest import land_night
from processes import Started, python
from readers import Seen, readers
from tqdm import tqdm

from orchestration import publication
from orchestration.home import Home

NIGHTS = 4
SEED = 20

# Says which phase it is in; dbt is a process of its own in the same session, and dies with it.
REFRESH = """
import sys
from pathlib import Path
from dbt_runner import dbt_build
from orchestration import publication, warehouse
from orchestration.home import Home
home = Home(Path(sys.argv[1]))
with warehouse.refresh_lock(home):
    print("phase load", flush=True)
    assert not warehouse.load(home).quarantined
    print("phase dbt", flush=True)
    dbt_build(home, "--exclude-resource-type", "unit_test")
    print("phase publish", flush=True)
    publication.publish(home)
    print("phase done", flush=True)
"""


@click.command()
@click.option("--kills", default=200, show_default=True, help="How many refreshes are killed.")
@click.option("--readers", "number", default=2, show_default=True, help="How many processes read meanwhile.")
def main(kills: int, number: int) -> None:
    """Kill refreshes at random moments while readers read; exit 1 where anybody saw anything wrong."""
    with tempfile.TemporaryDirectory(prefix="evalwatt-soak-") as scratch:
        home, undisturbed = Home(Path(scratch, "home")), Home(Path(scratch, "undisturbed"))
        land_night(home, 0)
        duration_s = _refresh_undisturbed(home)
        with readers(home.path, Path(scratch), number) as seen:
            phases = _kill(home, kills, duration_s)
            land_night(home, NIGHTS)
            _refresh_undisturbed(home)
        shutil.copytree(home.landing, undisturbed.landing)
        _refresh_undisturbed(undisturbed)
        equal = _marts(home) == _marts(undisturbed)
    _tell(phases, seen, equal)
    sys.exit(0 if equal and not (seen.errors or seen.torn or seen.backwards) else 1)


def _kill(home: Home, kills: int, duration_s: float) -> Counter[str]:
    """Kills by the phase that they came in; a refresh that ended first is no kill, and another one is started."""
    moments, phases, nights = random.Random(SEED), Counter[str](), 1
    with tqdm(total=kills, unit="kill") as bar:
        while phases.total() < kills:
            if phases.total() * NIGHTS >= nights * kills:
                land_night(home, nights)
                nights += 1
            with _refresh(home) as refresh:
                refresh.wait_for("phase load")
                time.sleep(moments.uniform(0, duration_s))  # the moment is the fault
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


def _refresh_undisturbed(home: Home) -> float:
    """Seconds that it took."""
    started = time.monotonic()
    with _refresh(home) as refresh:
        if refresh.end() != 0:
            raise click.ClickException(f"a refresh that nobody killed failed:\n{refresh.said[-3000:]}")
    return time.monotonic() - started


def _marts(home: Home) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(home.current / publication.MARTS_FILE, read_only=True) as connection:
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
