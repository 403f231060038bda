"""Files in the hub dataset's schema as Arrow tables: Parquet, CSV and JSON Lines; and the date in a file's name.

Belongs here: what a format can and cannot say (CSV has no types, JSON has one kind of number). Does not belong here:
which columns a table must have (`open_llm_columns`), and what its values may be (`open_llm`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from evaluators.leaderboards import StateRejected
from evaluators.leaderboards.open_llm_columns import TYPES, schema_problems

_KINDS = {str: "text", bool: "true or false", int: "whole numbers", float: "fractions", dict: "objects", list: "lists"}


def date_in_name(path: Path) -> date | None:
    """The date in the file's name; None where there is none, or more than one."""
    found = set(re.findall(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", path.name))
    try:
        (day,) = map(date.fromisoformat, found)
    except ValueError:
        return None
    return day


def read(path: Path) -> pa.Table:
    """The file's rows under its own column names. Raises StateRejected for what is no whole file of its format."""
    read_format = FORMATS.get(path.suffix.lower())
    if read_format is None:
        raise StateRejected(f"is of no known format; a file's name has to end in {', '.join(FORMATS)}")
    try:
        if path.stat().st_size == 0:
            raise StateRejected("is empty; export or download it again")
        return read_format(path)
    except (pa.ArrowException, UnicodeError) as error:
        words = str(error).splitlines()[0]
        raise StateRejected(f"cannot be read as {path.suffix}, is it truncated? {words}") from None
    except OSError as error:
        raise StateRejected(f"cannot be read: {error.strerror or error}") from None


def _read_parquet(path: Path) -> pa.Table:
    # ParquetFile and not read_table: the latter would take directory names such as x=1 for columns.
    with pq.ParquetFile(path) as file:
        table = file.read()
    table.validate(full=True)
    return table


def _read_csv(path: Path) -> pa.Table:
    if not path.read_bytes().endswith((b"\n", b"\r")):
        # The last cell may be half a name, and nothing else would tell.
        raise StateRejected("does not end with a line break, is it truncated? Export or download it again")
    with pyarrow.csv.open_csv(path, parse_options=_CSV) as file:
        header = file.schema.names
    # Everything as text first: whether a column is what it has to be is seen from all of its cells.
    texts = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    table = pyarrow.csv.read_csv(path, parse_options=_CSV, convert_options=texts)
    columns = [_parsed(table.column(i), TYPES.get(name)) for i, name in enumerate(table.column_names)]
    return pa.table(columns, names=table.column_names)


_CSV = pyarrow.csv.ParseOptions(newlines_in_values=True)


def _parsed(texts: pa.ChunkedArray, wanted: pa.DataType | None) -> pa.ChunkedArray:
    """The cells in the wanted type; as they are where a cell cannot be read so."""
    if wanted == pa.bool_():
        lower = pc.utf8_lower(texts)
        words = pc.all(pc.is_in(lower.drop_null(), value_set=pa.array(["true", "false"]))).as_py()
        return pc.equal(lower, "true") if words is not False else texts
    # Pandas writes whole numbers with gaps as 5.0.
    for candidate in {pa.int64(): (pa.int64(), pa.float64()), pa.float64(): (pa.float64(),)}.get(wanted, ()):
        try:
            return texts.cast(candidate)
        except pa.ArrowInvalid:
            continue
    return texts


def _read_json_lines(path: Path) -> pa.Table:
    try:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        rows = [json.loads(line, object_pairs_hook=_row) for line in lines]
    except (ValueError, RecursionError) as error:
        raise StateRejected(f"is no JSON Lines, is it truncated? {error}") from None
    if not all(isinstance(row, dict) for row in rows):
        raise StateRejected("is no JSON Lines: each line must be one object, a row")
    names = dict.fromkeys(name for row in rows for name in row)
    problems = [f"column {name!r} is missing in some lines" for name in names if any(name not in row for row in rows)]
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = _json_column(values, TYPES.get(name))
        except (ValueError, OverflowError) as error:
            problems.append(f"column {name!r} {error}")
            columns[name] = pa.nulls(len(rows))
    table = pa.table(columns)
    if problems:
        raise StateRejected("; ".join([*problems, *schema_problems(table)]))
    return table


def _json_column(values: list[Any], wanted: pa.DataType | None) -> pa.Array:
    """Raises ValueError for values that no column can hold together."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and (wanted == pa.float64() or len(kinds) == 2):
        return pa.array(values, pa.float64())
    if len(kinds) > 1 or kinds & {dict, list}:
        raise ValueError(f"holds {' and '.join(sorted(_KINDS[kind] for kind in kinds))}")
    return pa.array(values)


def _row(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"column {next(name for name in names if names.count(name) > 1)!r} appears twice in a line")
    return row


FORMATS: dict[str, Callable[[Path], pa.Table]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json_lines,
}
