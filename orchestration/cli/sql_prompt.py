"""The prompt of `evalwatt sql`: answers statements typed on a terminal from the published marts.

Belongs here: reading statements, and backslash commands. What a statement may do is decided in `sql_answer`, what can
be completed in `sql_completion`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click
import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer
from rich.table import Table
from rich.text import Text

from orchestration.cli.errors import WrongUse
from orchestration.cli.show import console
from orchestration.cli.sql_answer import answer
from orchestration.cli.sql_completion import Names
from orchestration.home import Home
from orchestration.warehouse.published import NothingPublished, connect

_HELP = r"""\d        list the tables and what one row of each is
\d TABLE  list its columns and what they mean
\?        show this help
\q        quit, as does Ctrl-D
A statement ends with `;` and may span several lines. Ctrl-C discards it; Tab completes names.
"""
_TABLES = """
    select table_name as table, estimated_size as rows, comment as description from duckdb_tables()
    where database_name = 'marts' order by table_name
"""
_COLUMNS = """
    select column_name as column, data_type as type, comment as description from duckdb_columns()
    where database_name = 'marts' and table_name = ? order by column_index
"""


def prompt(home: Home) -> None:
    """Answer statements until Ctrl-D or \\q. Raises NothingPublished."""
    published = _Published(home)
    print(f"Published {published.when()}. \\d lists the tables, \\? shows help, \\q quits. End statements with `;`.")
    session: PromptSession[str] = PromptSession(
        "marts> ",
        prompt_continuation=lambda width, line_number, is_soft_wrap: "...> ".rjust(width),
        multiline=Condition(lambda: not is_complete(get_app().current_buffer.text)),
        lexer=PygmentsLexer(SqlLexer),
        completer=published.names,
        complete_while_typing=False,
        history=_history(home),
    )
    while True:
        try:
            text = session.prompt().strip()
        except KeyboardInterrupt:
            continue  # discard the statement
        except EOFError:
            return
        if text in ("\\q", "exit", "quit"):
            return
        try:
            published.follow()
            if text.startswith("\\"):
                _command(published.connection, text)
            elif text:
                answer(published.connection, text)
        except click.ClickException as error:
            error.show()
        except NothingPublished as error:
            print(f"Error: {error}", file=sys.stderr)
        except (KeyboardInterrupt, duckdb.InterruptException):
            print("stopped", file=sys.stderr)


def is_complete(text: str) -> bool:
    """Whether Enter ends the input: it is empty, a backslash command, or a statement with its semicolon."""
    text = text.strip()
    if not text or text.startswith("\\") or text in ("exit", "quit"):
        return True
    # DuckDB's tokens skip comments, and stop before an unterminated string.
    tokens = duckdb.tokenize(text)
    return bool(tokens) and text.encode()[tokens[-1][0] :].startswith(b";")


class _Published:
    """The version that is published now, and the names in it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.names = Names()
        self._connect()

    def follow(self) -> None:
        """Switch to a newer version, if one was published since."""
        if self._home.current.resolve() != self._version:
            self.connection.close()
            self._connect()
            print(f"(a new version was published {self.when()}; answers are now from it)", file=sys.stderr)

    def when(self) -> str:
        """When the version was published; the build's name if that is not recorded."""
        with suppress(duckdb.Error):
            row = self.connection.execute("select published_at from publication").fetchone()
            return f"{row[0]:%Y-%m-%d %H:%M} UTC" if row else self._version.name
        return self._version.name

    def _connect(self) -> None:
        self._version = self._home.current.resolve()
        self.connection = connect(self._home)
        self.names.read(self.connection)


def _command(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    verb, _, table = text.rstrip(";").partition(" ")
    if verb == "\\d":
        _describe(connection, table.strip().removeprefix("marts."))
    elif verb in ("\\?", "\\h", "\\help"):
        print(_HELP, end="")
    else:
        raise WrongUse(f"unknown command {verb}; \\? lists the commands")


def _describe(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    result = connection.execute(_COLUMNS, [table]) if table else connection.execute(_TABLES)
    rows = result.fetchall()
    if not rows:
        raise WrongUse(f"no table {table!r} is published; \\d lists the tables")
    shown = Table(box=None, pad_edge=False)
    for column in result.description or ():
        shown.add_column(column[0], no_wrap=column[0] != "description", overflow="fold")
    for row in rows:
        shown.add_row(*(Text("" if value is None else str(value)) for value in row))
    console().print(shown)


def _history(home: Home) -> History:
    """In the home, for users who may write there; otherwise in memory."""
    file = home.sql_history
    return FileHistory(file) if os.access(file if file.exists() else home.path, os.W_OK) else InMemoryHistory()
