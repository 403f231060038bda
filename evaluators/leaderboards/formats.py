"""Files in the hub dataset's schema as Arrow tables: Parquet, CSV and JSON; and the date in a file's name.

Belongs here: what a format can and cannot express (CSV has no types, JSON has one kind of number), and how common tools
write it. Does not belong here: which columns a table must have (`open_llm_columns`), and which values are valid
(`open_llm`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
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
    """The file's rows under its own column names. Raises StateRejected for a file that is not whole in its format."""
    packed = path.suffix.lower() == ".gz"
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    if suffix in _WORKBOOKS:
        raise StateRejected("is a workbook; save its sheet as CSV UTF-8, with dates such as 2025-01-31")
    read_format = FORMATS.get(suffix)
    if read_format is None:
        names = ", ".join([*FORMATS, "or .gz after one of them"])
        raise StateRejected(f"has an unknown format; the file's name must end in {names}")
    try:
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        if not content:
            raise StateRejected("is empty; export or download it again")
        return _without_index(read_format(content))
    except (pa.ArrowException, UnicodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        words = next(iter(str(error).splitlines()), "")
        raise StateRejected(f"cannot be read as {path.suffix}: is it truncated? {words}") from None
    except OSError as error:
        raise StateRejected(f"cannot be read: {error.strerror or error}") from None


def is_known(path: Path) -> bool:
    """Whether the name is that of a readable format."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower() in FORMATS


def _without_index(table: pa.Table) -> pa.Table:
    """The table without the row numbers that pandas and spreadsheets add, and without empty nameless columns."""
    kept = [
        position
        for position, name in enumerate(table.column_names)
        if not (_INDEX.fullmatch(name) and _numbers_rows(table.column(position)))
        and not (name == "" and table.column(position).null_count == table.num_rows)
    ]
    return table.select(kept)


def _numbers_rows(values: pa.ChunkedArray) -> bool:
    """Whether the values are distinct whole numbers, as numbers or (in CSV) as text."""
    distinct = values.null_count == 0 and len(values.unique()) == len(values)
    if pa.types.is_string(values.type):
        return distinct and bool(pc.all(pc.match_substring_regex(values, r"^\d+$")).as_py())
    return distinct and bool(pa.types.is_integer(values.type))


_WORKBOOKS = frozenset({".xlsx", ".xls", ".xlsm", ".ods", ".numbers"})
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__|index|level_\d+")


def _read_parquet(content: bytes) -> pa.Table:
    # ParquetFile, because read_table would turn directory names such as x=1 into columns.
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        table = file.read()
    table.validate(full=True)
    return table


def _read_csv(content: bytes) -> pa.Table:
    text = _decoded(content)
    header, delimiter = _header(text)
    if not text.endswith(("\n", "\r")) and not _is_whole(text, header[-1], delimiter):
        raise StateRejected(
            "does not end with a line break: is it truncated? Export or download it again; if it is whole, add one"
        )
    # Everything as text first: a column's type depends on all of its cells.
    texts = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), null_values=list(_NULLS), strings_can_be_null=True
    )
    layout = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    table = pyarrow.csv.read_csv(pa.BufferReader(text.encode()), parse_options=layout, convert_options=texts)
    commas = _has_decimal_commas(table, delimiter)
    columns = [_parsed(table.column(i), TYPES.get(name), commas) for i, name in enumerate(table.column_names)]
    return pa.table(columns, names=table.column_names)


# What pandas, R, SQL and spreadsheets write for missing values. "NaN" in a column of numbers stays NaN, which sets its
# row aside, because it cannot be distinguished from a missing value.
_NULLS = ("", "NA", "N/A", "<NA>", "#N/A", "None", "none", "NULL", "null")
_NOT_A_NUMBER = ("NaN", "nan")


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StateRejected(f"is not UTF-8 (byte {error.start}); save it as UTF-8, in Excel as CSV UTF-8") from None


def _header(text: str) -> tuple[list[str], str]:
    """The names in the first row, and the delimiter: the one that gives the most known columns."""

    def names(delimiter: str) -> list[str]:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [""])

    delimiter = max(",;\t|", key=lambda found: len(set(names(found)) & set(TYPES)))
    return names(delimiter), delimiter


def _is_whole(text: str, last: str, delimiter: str) -> bool:
    """Whether the last cell, which has no line break after it, is certainly complete."""
    cell = re.split(f"[{re.escape(delimiter)}\n\r]", text[-1000:])[-1]
    if cell.startswith('"'):
        return cell.endswith('"') and cell.count('"') % 2 == 0
    words = {pa.bool_(): r"true|false", pa.date32(): r"\d{4}-\d\d-\d\d"}.get(TYPES.get(last))
    return words is not None and re.fullmatch(words, cell, re.IGNORECASE) is not None


def _has_decimal_commas(table: pa.Table, delimiter: str) -> bool:
    """Whether fractions are written as 0,5. Raises StateRejected where 1,234 is ambiguous."""
    cells = [column for column, name in zip(table.columns, table.column_names, strict=True) if name in _FRACTIONS]
    with_comma = [column.filter(pc.fill_null(pc.match_substring(column, ","), False)) for column in cells]
    if delimiter == "," or not any(map(len, with_comma)):
        return False
    if any(pc.any(pc.match_substring(column, ".")).as_py() for column in cells):
        raise StateRejected(f"has numbers with commas and with points; {_NUMBERS}")
    thousands = r"^-?[1-9]\d{0,2}(,\d{3})+$"
    if all(pc.all(pc.match_substring_regex(column, thousands)).as_py() is not False for column in with_comma):
        raise StateRejected(f"has ambiguous numbers such as 1,234; {_NUMBERS}")
    return True


_FRACTIONS = frozenset(name for name, type_ in TYPES.items() if type_ == pa.float64())
_NUMBERS = "write fractions as 0.5, and thousands as 1000"


def _parsed(texts: pa.ChunkedArray, wanted: pa.DataType | None, commas: bool) -> pa.ChunkedArray:
    """The cells in the wanted type; unchanged where a cell cannot be converted."""
    if wanted == pa.float64():
        texts = pc.replace_substring(texts, ",", ".") if commas else texts
    else:
        texts = pc.if_else(pc.is_in(texts, value_set=pa.array(_NOT_A_NUMBER)), None, texts)
    if wanted == pa.bool_():  # true and false are written the same in every format, numbers are not
        digits = pc.is_in(texts.drop_null(), value_set=pa.array(["0", "1", "0.0", "1.0"]))
        wanted = pa.float64() if pc.all(digits).as_py() else None
    if wanted == pa.int64():  # pandas writes whole numbers with gaps as 5.0; but 5.000 may be five thousand
        texts = pc.replace_substring_regex(texts, r"^(-?\d+)\.0$", r"\1")
    try:
        return texts.cast(wanted) if wanted in (pa.int64(), pa.float64()) else texts
    except pa.ArrowInvalid:
        return texts


def _read_json(content: bytes) -> pa.Table:
    text = _decoded(content)
    try:
        if text.lstrip().startswith("["):
            rows = json.loads(text, object_pairs_hook=_row)
        else:
            lines = [line for line in text.split("\n") if line.strip()]
            rows = [json.loads(line, object_pairs_hook=_row) for line in lines]
    except (ValueError, RecursionError) as error:
        raise StateRejected(f"is neither JSON Lines nor a JSON array of rows: is it truncated? {error}") from None
    if not all(isinstance(row, dict) for row in rows):
        raise StateRejected("is not JSON Lines: each line, or each element of an array, must be one object, a row")
    if rows and all(isinstance(value, dict | list) for value in rows[0].values()):
        raise StateRejected("is JSON by columns; write rows: in pandas to_json(orient='records', lines=True)")
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
    """Raises ValueError for values of different types that fit no column."""
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


FORMATS: dict[str, Callable[[bytes], pa.Table]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json,
    ".ndjson": _read_json,
    ".json": _read_json,
}
