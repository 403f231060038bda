"""What the prompt of `evalwatt sql` completes: published names with their descriptions, and SQL keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import duckdb
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

_SCHEMA = "marts"
_WORD = re.compile(r"[\w.\\]+$")
_COMMANDS = {"\\d": "tables, or a table's columns", "\\?": "help", "\\q": "quit"}
_COLUMNS = """
    select table_name, column_name, coalesce(comment, '') from duckdb_columns()
    where database_name = 'marts' order by table_name, column_index
"""
_TABLES = "select table_name, coalesce(comment, '') from duckdb_tables() where database_name = 'marts' order by all"
_KEYWORDS = "select keyword_name from duckdb_keywords() where keyword_category != 'unreserved' order by all"
_COMMON = ("by", "desc", "asc", "over", "partition", "first", "last", "filter", "show", "tables", "explain", "nulls")


class Names(Completer):
    """Completes columns of the tables that the statement names (or of all tables), tables, the schema and keywords."""

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, str]] = {}
        self._tables: dict[str, str] = {}
        self._keywords: dict[str, str] = {}

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the names of the published version."""
        self._tables = dict(connection.execute(_TABLES).fetchall())
        self._columns = {table: {} for table in self._tables}
        for table, column, comment in connection.execute(_COLUMNS).fetchall():
            self._columns[table][column] = comment
        reserved = [name for (name,) in connection.execute(_KEYWORDS).fetchall()]
        self._keywords = dict.fromkeys([*reserved, *_COMMON], "")

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """The names that start with the word before the cursor, each once, nearest first."""
        found = _WORD.search(document.text_before_cursor)
        word = found.group() if found else ""
        qualifier, _, beginning = word.rpartition(".")
        for name, description in self._fitting(document.text, qualifier.lower().removeprefix(f"{_SCHEMA}.")):
            if name.lower().startswith(beginning.lower()):
                yield Completion(name, start_position=-len(beginning), display_meta=description)

    def _fitting(self, text: str, qualifier: str) -> Iterable[tuple[str, str]]:
        if qualifier:
            named = self._tables if qualifier == _SCHEMA else self._columns.get(qualifier, {})
            return named.items()
        if text.lstrip().startswith("\\"):
            return {**_COMMANDS, **self._tables}.items()
        mentioned = [table for table in self._tables if re.search(rf"\b{re.escape(table)}\b", text)]
        columns = {
            name: description
            for table in mentioned or self._tables
            for name, description in self._columns[table].items()
        }
        schema = {_SCHEMA: "the published tables"}
        return {**columns, **schema, **self._tables, **self._keywords}.items()
