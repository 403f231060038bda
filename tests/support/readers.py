"""Readers at full speed, each a process of its own: what they saw, and what no reader may ever see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.home import MARTS_FILE, Home
from tests.support.processes import python

# One read: open what is current, take the build's name and what it says of its rows, and count them.
READING = """
import json, os, sys
from pathlib import Path
import duckdb
from orchestration.home import MARTS_FILE, Home
from orchestration.warehouse import publication
home, stop, report = Home(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
reads, errors, torn, backwards, builds, last = 0, [], 0, 0, [], ""
parent = os.getppid()
while not stop.exists() and os.getppid() == parent:
    try:
        path = publication.current(home) / MARTS_FILE
        with duckdb.connect(path, read_only=True) as connection:
            ((build, counts),) = connection.sql("select build_id, row_counts from publication").fetchall()
            counted = {t: connection.sql(f'select count(*) from "{t}"').fetchall()[0][0] for t in counts}
    except Exception as error:
        errors.append(repr(error))
        continue
    reads += 1
    torn += counted != counts or path.parent.name != build
    backwards += build < last
    if build != last:
        builds.append(build)
    last = build
    if reads == 1:
        print("reading", flush=True)
answer = {"reads": reads, "errors": errors, "torn": torn, "backwards": backwards, "builds": builds}
report.write_text(json.dumps(answer))
"""

# The switch itself takes microseconds, so one process does nothing but look whether there is a current version.
WATCHING = """
import os, sys
path, stop = sys.argv[1:]
parent = os.getppid()
os.stat(path)
print("reading", flush=True)
while not os.path.exists(stop) and os.getppid() == parent:
    for _ in range(1000):
        os.stat(path)
"""


@dataclass
class Seen:
    """What all readers saw together; filled in at their end. `builds` are those of the reader that saw most."""

    reads: int = 0
    errors: tuple[str, ...] = ()
    torn: int = 0
    backwards: int = 0
    builds: tuple[str, ...] = ()


@contextmanager
def readers(home_path: Path, scratch: Path, number: int = 2, niceness: int = 0) -> Iterator[Seen]:
    """Read until the block ends. `niceness` is how far the readers yield to what they read from."""
    polite = f"import os; os.nice({niceness})\n"
    seen, stop = Seen(), scratch / "stop"
    reports = [scratch / f"reader-{n}.json" for n in range(number)]
    with ExitStack() as stack:
        started = [stack.enter_context(python("-c", polite + READING, home_path, stop, report)) for report in reports]
        current = Home(home_path).current / MARTS_FILE
        watcher = stack.enter_context(python("-c", polite + WATCHING, current, stop))
        for process in (*started, watcher):
            process.wait_for("reading")
        yield seen
        stop.touch()
        if watcher.end() != 0:
            seen.errors += (watcher.said,)
        for reader, report in zip(started, reports, strict=True):
            assert reader.end() == 0, reader.said
            found = json.loads(report.read_text())
            seen.reads += found["reads"]
            seen.errors += tuple(found["errors"])
            seen.torn += found["torn"]
            seen.backwards += found["backwards"]
            seen.builds = max(seen.builds, tuple(found["builds"]), key=len)
