"""The prompt of `evalwatt sql`, on a real terminal, and what it completes."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from orchestration.cli.sql_completion import Names
from orchestration.cli.sql_prompt import is_complete
from orchestration.home import Home
from orchestration.warehouse.published import connect

_PATIENCE_S = 600
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
UP = "\x1b[A"


def publish(home: Home, version: str, answer: int) -> None:
    """A published version with two tables."""
    folder = home.published / "versions" / version
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{folder / 'marts.duckdb'}' as built; use built")
        connection.execute(f"create table mart_energy as select 'a model' as model_id, {answer} as energy_kwh")
        connection.execute("comment on table mart_energy is 'One row per model [measured].'")
        connection.execute("comment on column mart_energy.energy_kwh is 'Gross energy.'")
        connection.execute("create table dim_models as select 'a model' as model_id, 'own' as provider")
        connection.execute("create table publication as select timestamptz '2026-03-01 02:00:00+00' as published_at")
    new = home.published / "new"
    new.symlink_to(f"versions/{version}")
    new.rename(home.current)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "a home")
    publish(home, "b1", 41)
    return home


class Terminal:
    """A person at a terminal of 100 columns who types and reads."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 100))
        environment = os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"} | variables
        command = [sys.executable, "-m", "orchestration.cli", "sql", *arguments]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.raw = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def read_until(self, pattern: str) -> str:
        """What is shown until `pattern` is, colours and cursor movements aside."""
        shown, deadline = "", time.monotonic() + _PATIENCE_S
        while not re.search(pattern, shown, re.DOTALL):
            assert time.monotonic() < deadline, f"{pattern!r} was not shown, but {shown!r}"
            if select.select([self._master], [], [], 1)[0]:
                piece = os.read(self._master, 65536).decode()
                self.raw += piece
                shown += _ESCAPES.sub("", piece)
        return shown

    def ask(self, text: str, pattern: str) -> str:
        """Type, and read until the answer and the next prompt are there."""
        self.type(text)
        return self.read_until(rf"{pattern}.*marts>")

    def close(self) -> int:
        """Ends with Ctrl-D; returns the exit code."""
        self.type("\x04")
        try:
            return self.process.wait(_PATIENCE_S)
        finally:
            self.process.kill()
            os.close(self._master)


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    terminal = Terminal("--home", str(home.path))
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.process.wait()


def test_a_session(terminal: Terminal, home: Home) -> None:
    terminal.read_until("Published 2026-03-01 02:00 UTC.*marts>")
    assert "energy_kwh" in terminal.ask("select energy_kwh\rfrom marts.mart_energy;\r", r"41\s+\(1 row\)")
    # Errors are shown, and the prompt goes on; nothing outside the published file is read or written.
    terminal.ask("selec 1;\r", "Error: SQL: Parser Error")
    assert "root:" not in terminal.ask("from read_text('/etc/passwd');\r", "Error: SQL: .*disabled")
    terminal.ask("drop table marts.mart_energy;\r", "Error: published marts are read-only")
    terminal.ask("\\d mart_energy\r", r"energy_kwh\s+INTEGER\s+Gross energy\.")
    terminal.ask("\\d\r", r"mart_energy\s+1\s+One row per model \[measured\]\.")
    terminal.ask("\\d nothing\r", "no table 'nothing' is published")
    terminal.ask("\\dance\r", "unknown command .dance")
    # A statement is given up with Ctrl-C, and another one is completed with Tab.
    terminal.ask("select 1 +\x03", "")
    terminal.type("select 10 * energy_k\t")
    terminal.read_until("energy_kwh")
    terminal.ask(" + 7 as completed from mart_energy;\r", r"417\s+\(1 row\)")
    publish(home, "b2", 42)
    shown = terminal.ask("from marts.mart_energy;\r", r"42\s+\(1 row\)")
    assert "a new version was published 2026-03-01 02:00 UTC" in shown
    assert "a new version was published" not in terminal.ask(UP + "\r", r"42\s+\(1 row\)")
    assert terminal.close() == 0
    history = home.sql_history.read_text()
    assert "+select energy_kwh\n+from marts.mart_energy;\n" in history
    assert {path.name for path in home.path.iterdir()} == {"published", "sql_history"}


def test_colours_obey_no_color(home: Home) -> None:
    coloured = {}
    for value in ("", "1"):
        terminal = Terminal("--home", str(home.path), NO_COLOR=value)
        terminal.read_until("marts>")
        terminal.ask("select 'x';\r", r"\(1 row\)")
        assert terminal.close() == 0
        coloured[value] = bool(re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.raw))
    assert coloured == {"": True, "1": False}


def test_the_prompt_says_that_nothing_is_published(tmp_path: Path) -> None:
    terminal = Terminal("--home", str(tmp_path))
    terminal.read_until("`evalwatt run` evaluates and publishes")
    assert terminal.close() == 1


@pytest.mark.parametrize("text", ["", "  ", "\\d", "quit", "select 1;", "select 'é;' ;", "select 1; -- and more"])
def test_enter_ends(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize(
    "text", ["select 1", "select ';", 'select ";', "select 1 -- ;", "select /* ; */", "select $$;"]
)
def test_enter_begins_another_line(text: str) -> None:
    assert not is_complete(text)


@pytest.fixture
def names(home: Home) -> Names:
    names = Names()
    with connect(home) as connection:
        names.read(connection)
    return names


def _completed(names: Names, text: str) -> dict[str, str]:
    """What `|` may be completed to, with its description."""
    before, after = text.split("|")
    found = names.get_completions(Document(before + after, len(before)), CompleteEvent())
    return {completion.text: completion.display_meta_text for completion in found}


def test_completes_columns_of_the_tables_that_are_named(names: Names) -> None:
    assert _completed(names, "select en| from marts.mart_energy") == {"energy_kwh": "Gross energy.", "end": ""}
    assert "energy_kwh" not in _completed(names, "select en| from dim_models")
    assert "energy_kwh" in _completed(names, "select en|")


def test_completes_what_follows_a_dot(names: Names) -> None:
    assert _completed(names, "from marts.mart|") == {"mart_energy": "One row per model [measured]."}
    assert set(_completed(names, "select dim_models.| from dim_models")) == {"model_id", "provider"}
    assert _completed(names, "select other.|") == {}


def test_completes_schema_keywords_and_commands(names: Names) -> None:
    assert {"marts", "mart_energy"} <= set(_completed(names, "select * from mart|"))
    assert "where" in _completed(names, "from mart_energy WH|")
    assert set(_completed(names, "\\d dim|")) == {"dim_models"}


def _piped(home: Home, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestration.cli", "sql", "--home", str(home.path), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_a_file_on_standard_input_is_answered(home: Home) -> None:
    done = _piped(home, "-- a query\nfrom marts.mart_energy;\n", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"energy_kwh": 41' in done.stdout


def test_nothing_on_standard_input_is_wrong_use(home: Home) -> None:
    done = _piped(home, "")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('Error: there is no statement: evalwatt sql "select …"')
