"""The Open LLM Leaderboard's table as records: which columns it must have, and which rows are valid.

Belongs here: what a valid state is, whatever it was read from. Does not belong here: file formats (`formats`), the hub
(`hub`), and importing a state (`states`).

A table with wrong columns is rejected as a whole, because none of its values can be trusted. An invalid row is set
aside with its reason, and the others are kept.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from evaluators.landing.bundles import arrow_schema
from evaluators.leaderboards import StateRejected
from evaluators.leaderboards.open_llm_columns import EMISSIONS, FIELDS, TYPES, converted, schema_problems
from evaluators.records import EMISSIONS_NOT_KNOWN, SCHEMA_VERSION, LeaderboardSnapshot

_SCHEMA = arrow_schema(LeaderboardSnapshot)

# Valid ranges. No model has 100 trillion parameters, and no count reaches billions.
_RANGES: dict[str, tuple[float, float]] = {
    **{name: (0, 1) for name in FIELDS if name.endswith(" Raw")},
    **{name.removesuffix(" Raw"): (0, 100) for name in FIELDS if name.endswith(" Raw")},
    "Average ⬆️": (0, 100),
    "#Params (B)": (-math.inf, 100_000),
    EMISSIONS: (0, math.inf),
    "Hub ❤️": (0, 1_000_000_000),
    "Generation": (0, 1_000_000_000),
}
_NAMES = ("eval_name", "fullname")
_NO_NAME = r"^\s*$|[\p{Cc}\p{Zl}\p{Zp}]"

# Two files hold the same state when they agree in everything but these.
_NO_FACTS = frozenset({"snapshot_date", "schema_version", "source", "model_html"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is set aside: its number from 1, its name and what is wrong with it."""

    row: int
    eval_name: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class State:
    """A state's good rows as records, sorted by eval_name, and the others as they arrived."""

    day: date
    source: str
    rows: pa.Table
    sha256: str
    refused: pa.Table
    refusals: tuple[Refusal, ...]


def examine(raw: pa.Table, day: date, source: str) -> State:
    """The state in a table with the hub dataset's columns. Raises StateRejected."""
    if problems := list(schema_problems(raw)):
        raise StateRejected(f"{'; '.join(problems)}. The columns must be those of the hub dataset")
    if raw.num_rows == 0:
        raise StateRejected("has no rows; export or download it again")
    given = {name: converted(raw[name], TYPES[name]) for name in raw.column_names}
    values = {name: _dates(found) if TYPES[name] == pa.date32() else found for name, found in given.items()}
    refusals = _refusals(given, values)
    if len(refusals) == raw.num_rows:
        reason, times = Counter(refusal.reason for refusal in refusals).most_common(1)[0]
        raise StateRejected(f"none of its {raw.num_rows} rows can be kept; {times} times: {reason}")
    if problems := list(_misread_columns(given, values)):
        raise StateRejected("; ".join(problems))
    wrong = [refusal.row - 1 for refusal in refusals]
    right = pa.array(sorted(set(range(raw.num_rows)).difference(wrong)), pa.int64())
    rows = _records(values, day, source).take(right).sort_by("eval_name")
    # Slices, because Arrow's `take` does not support every type that a file may have.
    refused = pa.concat_tables([raw.slice(0, 0), *(raw.slice(row, 1) for row in wrong)])
    return State(day, source, rows, _identity(rows), refused, tuple(refusals))


def _dates(texts: pa.Array) -> pa.Array:
    """The dates, NULL where a text is not a date. Few are distinct, so each is parsed once."""
    encoded = texts.dictionary_encode()
    return pa.array(map(_day, encoded.dictionary.to_pylist()), pa.date32()).take(encoded.indices)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None  # no week dates, no 20250131


def _refusals(given: Mapping[str, pa.Array], values: Mapping[str, pa.Array]) -> list[Refusal]:
    names = values["eval_name"]
    reasons: dict[int, list[str]] = {}
    for wrong, name, words in _wrong_values(given, values):
        for row in pc.indices_nonzero(wrong).to_pylist():
            reasons.setdefault(row, []).append(f"{name} is {given[name][row].as_py()!r}, {words}")
    for row, words in _repetitions(names, values):
        reasons.setdefault(row, []).append(words)
    return [Refusal(row + 1, names[row].as_py(), "; ".join(reasons[row])) for row in sorted(reasons)]


def _wrong_values(given: Mapping[str, pa.Array], values: Mapping[str, pa.Array]) -> Iterator[tuple[pa.Array, str, str]]:
    """Which rows are wrong in which column, and what the value must be."""
    for name in _NAMES:
        wrong = pc.or_kleene(pc.is_null(values[name]), pc.match_substring_regex(values[name], _NO_NAME))
        yield wrong, name, "must be a name without control characters"
    for name, found in values.items():
        if pa.types.is_floating(found.type):
            yield pc.invert(pc.is_finite(found)), name, "must be a finite number"
        if pa.types.is_date(found.type):
            yield pc.and_(pc.is_valid(given[name]), pc.is_null(found)), name, "must be a date such as 2025-01-31"
    for name, (least, most) in _RANGES.items():
        found = values[name]
        if name == EMISSIONS:
            found = pc.if_else(pc.equal(found, EMISSIONS_NOT_KNOWN), None, found)
        yield pc.or_(pc.less(found, least), pc.greater(found, most)), name, f"must be from {least:g} to {most:g}"


def _misread_columns(given: Mapping[str, pa.Array], values: Mapping[str, pa.Array]) -> Iterator[str]:
    """Columns with mostly wrong rows: the column is written in another way, such as 31/01/2025."""
    for wrong, name, words in _wrong_values(given, values):
        rows = pc.indices_nonzero(wrong)
        if 2 * len(rows) > len(wrong):
            first = given[name][rows[0].as_py()].as_py()
            yield f"column {name!r} is wrong in {len(rows)} of {len(wrong)} rows, as in {first!r}: each {words}"


def _repetitions(names: pa.Array, values: Mapping[str, pa.Array]) -> Iterator[tuple[int, str]]:
    """Rows with the eval_name of another row: of copies the first is kept, of contradicting rows none."""
    counts = pc.value_counts(names.drop_null())
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(repeated):
        return
    rows = pc.indices_nonzero(pc.is_in(names, value_set=repeated))
    claims: dict[str, list[tuple[int, object]]] = {}
    for row, claim in zip(rows.to_pylist(), pa.table(dict(values)).take(rows).to_pylist(), strict=True):
        claims.setdefault(claim["eval_name"], []).append((row, claim))
    for name, found in claims.items():
        (_, first), *copies = found
        if all(claim == first for _, claim in copies):
            yield from ((row, f"a copy of another row of {name!r}, which stays") for row, _ in copies)
        else:
            yield from ((row, f"{len(found)} rows claim {name!r} and contradict each other") for row, _ in found)


def _records(values: Mapping[str, pa.Array], day: date, source: str) -> pa.Table:
    height = len(values["eval_name"])
    own = {
        "snapshot_date": pa.repeat(pa.scalar(day), height),
        "schema_version": pa.repeat(SCHEMA_VERSION, height),
        "source": pa.repeat(source, height),
        "model_html": pa.nulls(height, pa.string()),
    }
    found = own | {FIELDS[name]: column for name, column in values.items()}
    return pa.table({name: found[name] for name in _SCHEMA.names}, schema=_SCHEMA)


def _identity(rows: pa.Table) -> str:
    """Hash over the rows' content, column by column: the same whatever file they came from."""
    digest = sha256()
    for name in rows.column_names:
        if name not in _NO_FACTS:
            digest.update(f"{name} {rows.num_rows}".encode())
            digest.update(_plain(rows[name].combine_chunks()))
    return digest.hexdigest()


def _plain(values: pa.Array) -> bytes:
    """The values in a form that does not depend on format or Arrow version. As text, numbers take ten times as long."""
    if pa.types.is_string(values.type):
        return json.dumps(values.to_pylist()).encode()
    numbers = values.cast(pa.int32()) if pa.types.is_date(values.type) else values
    parts = (numbers.is_valid(), numbers.fill_null(False if pa.types.is_boolean(values.type) else 0))
    return b"".join(part.to_numpy(zero_copy_only=False).tobytes() for part in parts)
