"""`evalwatt import-leaderboard`: imports dated states of the Open LLM Leaderboard into the landing."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.errors import WrongUse

if TYPE_CHECKING:
    import pyarrow as pa

    from evaluators.leaderboards.states import Imported
    from orchestration.home import Home

HUB = "hub"
_DAY = click.DateTime(["%Y-%m-%d"])


@dataclass(frozen=True, slots=True)
class _Pending:
    """A state to import that has not been read yet."""

    day: date
    source: str
    read: Callable[[], pa.Table]


@click.command("import-leaderboard")
@click.argument("sources", nargs=-1, required=True, metavar="PATH...|hub")
@click.option("--date", "day", type=_DAY, help="The day of the state, if the file's name does not have it.")
@click.option("--since", type=_DAY, help="With hub: every day's state from this day on; by default only the newest.")
@click.option("--revision", metavar="SHA", help="With hub: the state at this commit.")
@options.as_json
@options.places(catalogue=False)
def command(
    sources: tuple[str, ...], day: datetime | None, since: datetime | None, revision: str | None, as_json: bool
) -> None:
    """Import dated states of the Open LLM Leaderboard from files, from folders of files, or from the hub.

    Files are Parquet, CSV, TSV or JSON, also gzipped, with the columns of the hub's dataset
    open-llm-leaderboard/contents, and have the date of their state in their name. A state that was imported before is
    left as it is. `evalwatt build` loads the states into the marts.

    \b
    Examples:
      evalwatt import-leaderboard contents_2025-01-09.parquet
      evalwatt import-leaderboard hub --since 2024-12-01
    """
    from orchestration.home import Home

    home = Home.from_env()
    if HUB in sources:
        if len(sources) > 1:
            raise WrongUse("hub cannot be combined with files; import them in a separate call")
        pending = _of_hub(day and day.date(), since and since.date(), revision)
    elif since or revision:
        raise WrongUse("--since and --revision need `hub`: evalwatt import-leaderboard hub --since 2025-01-31")
    else:
        pending = _of_files([Path(source) for source in sources], day and day.date())
    imported, failures = _import(pending, home)
    if imported:
        from orchestration.ui.state_events import report

        report(home, imported)
    _tell(imported, failures, as_json)
    if failures:
        sys.exit(1)


def _of_files(paths: Sequence[Path], day: date | None) -> list[_Pending]:
    from evaluators.leaderboards.formats import date_in_name, read

    files = [file for path in paths for file in _files(path)]
    if day and len(files) > 1:
        raise WrongUse(f"--date takes one state, not {len(files)}; put the dates into the files' names")
    pending = []
    for file in files:
        own = day or date_in_name(file)
        if own is None:
            raise WrongUse(
                f"{file}: the name must contain one date, such as 2025-01-31; rename the file, or use --date"
            )
        pending.append(_Pending(own, file.name, partial(read, file)))
    return pending


def _files(path: Path) -> list[Path]:
    from evaluators.leaderboards.formats import FORMATS, is_known

    if not path.is_dir():
        if not path.exists():
            raise WrongUse(f"{path} does not exist; name files or folders, or `hub`")
        return [path]
    files = sorted(file for file in path.iterdir() if is_known(file))
    if not files:
        raise WrongUse(f"{path} contains no state: no file ends in {', '.join(FORMATS)}")
    return files


def _of_hub(day: date | None, since: date | None, revision: str | None) -> list[_Pending]:
    from evaluators.leaderboards import hub

    if revision and since:
        raise WrongUse("--revision takes one state, --since many; give only one of the options")
    if day and not revision:
        raise WrongUse("--date with hub needs --revision; other states of the hub have dates of their own")
    from evaluators.models import hub_client

    client = hub_client.connect()
    found = [hub.revision(client, revision, day)] if revision else hub.revisions(client, since)
    return [_Pending(r.day, r.source, partial(hub.read, client, r)) for r in found]


def _import(pending: Sequence[_Pending], home: Home) -> tuple[list[Imported], list[str]]:
    """What was imported, now or before, and why the others were not."""
    from evaluators.leaderboards import StateRejected
    from evaluators.leaderboards.hub import HubUnavailable
    from evaluators.leaderboards.states import import_state

    imported: list[Imported] = []
    failures: list[str] = []
    for state in _counted(sorted(pending, key=lambda state: state.day)):
        try:
            imported.append(import_state(state.read, state.day, state.source, home.landing, home.quarantine))
        except StateRejected as rejected:
            failures.append(str(rejected))
        except HubUnavailable as unavailable:
            failures.append(f"{state.source}: {unavailable}")
            break  # the next one would fail in the same way
    return imported, failures


def _counted(pending: Sequence[_Pending]) -> Iterator[_Pending]:
    """Shows a bar on a terminal, and elsewhere prints a line per state."""
    from evaluators.terminal import terminal

    if (drawn := terminal()) is not None:
        from tqdm import tqdm

        yield from tqdm(pending, desc="importing", unit="state", file=drawn)
        return
    for number, state in enumerate(pending, start=1):
        print(f"importing {state.day} from {state.source} ({number} of {len(pending)})", file=sys.stderr, flush=True)
        yield state


def _tell(imported: Sequence[Imported], failures: Sequence[str], as_json: bool) -> None:
    if as_json:
        states = [dataclasses.asdict(state) for state in imported]
        print(json.dumps({"states": states, "failures": failures}, indent=2, default=str, ensure_ascii=False))
        return
    new, known = [s for s in imported if s.new], [s for s in imported if not s.new]
    if new:
        days = " to ".join(dict.fromkeys(f"{end(state.day for state in new)}" for end in (min, max)))
        print(f"imported {_states(len(new))} with {sum(state.rows for state in new)} rows: {days}")
    if known:
        print(f"{_states(len(known))} {'was' if len(known) == 1 else 'were'} imported before; nothing changed")
    for state in imported:
        if state.quarantine is not None:
            rows = "1 row" if state.quarantined_rows == 1 else f"{state.quarantined_rows} rows"
            print(f"{state.day}: {rows} quarantined; reason.json says why: {state.quarantine}")
    if not imported and not failures:
        print("the hub has no state from that day on")
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    if imported:
        print("`evalwatt build` loads them into the marts")


def _states(count: int) -> str:
    return f"{count} state{'' if count == 1 else 's'}"
