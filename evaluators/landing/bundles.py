"""The landing: immutable, append-only Parquet, one directory per run, or per imported state of a leaderboard.

    landing/<run_id>/run.json                              the run as it starts, written first
    landing/<run_id>/loaded.json                           the same once the model is loaded, with what is known then
    landing/<run_id>/tasks.json                            its tasks, once they are loaded
    landing/<run_id>/summary.json                          its summary, written at its end
    landing/<run_id>/lock                                  held by the evaluator's process while it runs
    landing/<run_id>/<bundle>/<table>.<sha-256>.parquet    rows that became durable together
    landing/open-llm-leaderboard@<date>/state/…            a state; complete by itself, without run.json and end
    landing/exclusions/<id>/…, landing/calibrations/<id>/… people's decisions, one bundle each (`decisions`)
    landing/gates/<id>/…, landing/gate_verdicts/<id>/…     what a gate was asked, and its verdict

A bundle appears by one rename, after everything in it was fsynced, so a reader sees all of it or nothing. A task
evaluation is one bundle, named by its fingerprint and repetition, so a directory name shows whether it is done. One
that failed leaves a bundle with another name, which has the energy it used and no results. So does a part of an
evaluation (`parts`), whose name shows which places of the whole it has, and the stop of one (`stops`). File names
contain the hash of the file's content, so that damage is noticed; names never contain a model's name.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from evaluators.durable import TEMPORARY, fsync_directory, write_durably
from evaluators.hashing import digest
from evaluators.records import Calibration, Exclusion, Gate, GateVerdict, Record, columns

Row = TypeVar("Row", bound=Record)

RUN_FILE = "run.json"
LOADED_FILE = "loaded.json"  # the run once its model is loaded: engine, batch policy and model key are known then
TASKS_FILE = "tasks.json"  # {task: PlannedTask} of all planned tasks, once they are known
SUMMARY_FILE = "summary.json"
LOCK_FILE = "lock"
SETUP_BUNDLE = "setup"  # the model as it was loaded, and the energies until its first task
END_BUNDLE = "end"
STATE_BUNDLE = "state"
DECISIONS = tuple(record.table for record in (Exclusion, Calibration, Gate, GateVerdict))  # a bundle per decision
RUN_ID_LENGTH = 26
_PART = re.compile(r"part-([0-9a-f]{32})-(\d+)-(\d+)")
_STOP = re.compile(r"stop-([0-9a-f]{32})")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, in which text order is numeric order

_ARROW_TYPES: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
    date: pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A landed bundle: `files` maps a table's name to its Parquet file."""

    run_id: str
    name: str
    path: Path
    files: dict[str, Path]


def new_run_id(now: datetime | None = None) -> str:
    """A ULID: 26 characters that sort by time, milliseconds first."""
    milliseconds = int((now.timestamp() if now else time.time()) * 1000)
    value = (milliseconds << 80) | secrets.randbits(80)
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def run_time(run_id: str) -> datetime:
    """The time when the run was planned, from its id. Raises ValueError for an id that is not a ULID."""
    if len(run_id) != RUN_ID_LENGTH:
        raise ValueError(f"{run_id!r} is not a run id")
    value = 0
    for character in run_id:
        value = value * 32 + _ALPHABET.index(character)
    return datetime.fromtimestamp((value >> 80) / 1000, tz=UTC)


def task_bundle(fingerprint: str, repetition: int) -> str:
    """The name of a task evaluation's bundle."""
    return hashlib.sha256(f"{fingerprint}/{repetition}".encode()).hexdigest()[:32]


def failed_bundle(evaluation: str) -> str:
    """The name of a failed task evaluation's bundle: it has windows and no results, and the evaluation stays due."""
    return f"failed-{evaluation}"


def part_bundle(evaluation: str, first_place: int, last_place: int) -> str:
    """The name of a bundle with a part of a task evaluation: the documents in these places, both ends included."""
    return f"part-{evaluation}-{first_place}-{last_place}"


def places_in(name: str) -> tuple[str, range] | None:
    """The evaluation that a bundle has a part of, and the places in it; None for any other bundle."""
    match = _PART.fullmatch(name)
    return None if match is None else (match[1], range(int(match[2]), int(match[3]) + 1))


def suite_question(weights: Mapping[str, float]) -> str:
    """The name of a suite's question: its task evaluations, and the weights with which they are judged together."""
    return digest(sorted(weights.items()))[:32]


def stop_bundle(question: str) -> str:
    """The name of a stop's bundle. The question is a task evaluation, or a suite's (`suite_question`)."""
    return f"stop-{question}"


def question_in(name: str) -> str | None:
    """The question whose stop a bundle has; None for any other bundle."""
    match = _STOP.fullmatch(name)
    return None if match is None else match[1]


def is_task_bundle(name: str) -> bool:
    """Whether a bundle holds a task evaluation (run-level bundles are named with words)."""
    return len(name) == 32


def stands_alone(bundle: Bundle) -> bool:
    """Whether the bundle is complete by itself; a run's bundles wait for the run's end."""
    return bundle.name == STATE_BUNDLE or bundle.run_id in DECISIONS


def state_directory(day: date) -> str:
    """The directory of a day's leaderboard state; it takes the place of a run id."""
    return f"open-llm-leaderboard@{day.isoformat()}"


def arrow_schema(record: type[Record]) -> pa.Schema:
    """The record's Parquet schema; NOT NULL columns are marked so."""
    return pa.schema([pa.field(c.name, _ARROW_TYPES[c.type], nullable=c.nullable) for c in columns(record)])


def write_bundle(landing: Path, run_id: str, name: str, rows: Iterable[Record]) -> Path:
    """Land `rows`, grouped by table, as one bundle. Raises ValueError without rows."""
    by_record: dict[type[Record], list[Record]] = {}
    for row in rows:
        by_record.setdefault(type(row), []).append(row)
    if not by_record:
        raise ValueError(f"bundle {name} of run {run_id} has no rows")
    return write_tables(
        landing, run_id, name, {record: _table(record, members) for record, members in by_record.items()}
    )


def write_tables(landing: Path, run_id: str, name: str, tables: Mapping[type[Record], pa.Table]) -> Path:
    """Land `tables`, each in its record's schema, as one bundle: durable and visible when this returns.

    Landing a bundle that already exists changes nothing: the first one counts. Raises OSError where writing fails.
    """
    target = landing / run_id / name
    if target.exists():
        return target
    temporary = landing / run_id / f"{TEMPORARY}{secrets.token_hex(8)}"
    temporary.mkdir(parents=True)
    try:
        for record, table in tables.items():
            content = parquet(table)
            path = temporary / f"{record.table}.{hashlib.sha256(content).hexdigest()}.parquet"
            write_durably(path, content)
        fsync_directory(temporary)
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():  # another process landed it first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    fsync_directory(target.parent)
    return target


def bundles(landing: Path, run_id: str | None = None) -> Iterator[Bundle]:
    """All landed bundles, ordered by run and name; temporary directories are skipped."""
    for run in sorted(p for p in _directories(landing) if run_id is None or p.name == run_id):
        for path in sorted(_directories(run)):
            if not path.name.startswith(TEMPORARY):
                yield bundle_at(path)


def bundle_at(path: Path) -> Bundle:
    """The bundle in a directory."""
    files = {file.name.split(".")[0]: file for file in sorted(path.glob("*.parquet"))}
    return Bundle(path.parent.name, path.name, path, files)


def rows(bundle: Bundle, record: type[Row]) -> list[Row]:
    """A bundle's rows of a table; a column that was added after they were landed is None.

    Raises KeyError without the table, and ValueError, OSError or pa.ArrowException where its file is damaged.
    """
    file = bundle.files[record.table]
    verify(file)
    names = [column.name for column in columns(record)]
    return [record(**{name: row.get(name) for name in names}) for row in pq.ParquetFile(file).read().to_pylist()]


def verify(path: Path) -> None:
    """Raises ValueError where a file's content does not match the hash in its name."""
    promised = path.name.split(".")[1]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != promised:
        raise ValueError(f"{path.name} is damaged: its sha-256 is {found[:12]}…, its name says {promised[:12]}…")


def task_evaluations(landing: Path, without: Collection[str] = ()) -> dict[str, str]:
    """Maps each landed task evaluation's bundle name to the id of its newest run; runs in `without` do not count."""
    return {path.name: path.parent.name for path in paths(landing, without) if is_task_bundle(path.name)}


def paths(landing: Path, without: Collection[str] = ()) -> Iterator[Path]:
    """The directories of all landed bundles, oldest run first, without their files being looked at; runs in `without`
    do not count."""
    for run in sorted(p for p in _directories(landing) if p.name not in without):
        yield from sorted(p for p in _directories(run) if not p.name.startswith(TEMPORARY))


def _directories(path: Path) -> Sequence[Path]:
    return [p for p in path.iterdir() if p.is_dir()] if path.is_dir() else []


def parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _table(record: type[Record], rows: list[Record]) -> pa.Table:
    return pa.table(
        {column.name: [getattr(row, column.name) for row in rows] for column in columns(record)},
        schema=arrow_schema(record),
    )
