"""`evalwatt import-leaderboard`: what it answers, where it puts things, and how it fails."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from evaluators.models import hub_client
from orchestration import cli
from orchestration.home import Home
from orchestration.instance.opening import open_instance
from tests.support import states
from tests.support.hub_history import History
from tests.support.states import row

Run = Callable[..., tuple[int, str, str]]

ROWS = [row("a/model"), row("b/model", hub_license="mit")]


@pytest.fixture
def evalwatt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the verb in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for variable in ("EVALWATT_HOME", "EVALWATT_DEBUG", "EVALWATT_PROGRESS_TTY"):
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evalwatt", "import-leaderboard", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_a_folder_is_all_states_in_it(evalwatt: Run, tmp_path: Path) -> None:
    for day in (2, 1):
        states.save(tmp_path / "states", ROWS, date(2025, 1, day))
    (tmp_path / "states" / "README.md").touch()
    code, out, err = evalwatt("states")
    assert code == 0
    assert out.splitlines() == [
        "imported 2 states with 4 rows: 2025-01-01 to 2025-01-02",
        "`evalwatt build` loads them into the marts",
    ]
    assert err.splitlines() == [
        "importing 2025-01-01 from contents_2025-01-01.parquet (1 of 2)",
        "importing 2025-01-02 from contents_2025-01-02.parquet (2 of 2)",
    ]
    assert len(states.landed(tmp_path / "data/landing", date(2025, 1, 2))) == 2
    code, out, _ = evalwatt("states")
    assert (code, out.splitlines()[0]) == (0, "2 states were imported before; nothing changed")
    with open_instance(Home(tmp_path / "data")) as instance:
        assert sorted(instance.get_dynamic_partitions("leaderboard_states")) == ["2025-01-01", "2025-01-02"]


def test_what_is_quarantined_is_said(evalwatt: Run, tmp_path: Path) -> None:
    states.save(tmp_path, [*ROWS, row("c/wrong", bbh=200.0)])
    code, out, _ = evalwatt("contents_2025-01-09.parquet")
    assert code == 0
    (line,) = [line for line in out.splitlines() if "quarantined" in line]
    assert line.startswith("2025-01-09: 1 row quarantined; reason.json says why: ")
    assert Path(line.rpartition(": ")[2], "reason.json").exists()


def test_one_bad_file_does_not_stop_the_others(evalwatt: Run, tmp_path: Path) -> None:
    states.save(tmp_path / "states", ROWS)
    (tmp_path / "states" / "2025-01-08.csv").write_text("eval_name\n")
    code, out, err = evalwatt("states")
    assert code == 1
    assert "imported 1 state with 2 rows: 2025-01-09\n" in out
    assert "FAILED 2025-01-08.csv: column 'Precision' is missing" in err


def test_another_state_of_the_same_day_fails_with_both_hashes(evalwatt: Run, tmp_path: Path) -> None:
    states.save(tmp_path, ROWS)
    states.save(tmp_path / "other", ROWS[:1])
    _, out, _ = evalwatt("contents_2025-01-09.parquet", "--json")
    (first,) = json.loads(out)["states"]
    code, out, err = evalwatt("other")
    assert (code, out) == (1, "")
    assert f"a different state of 2025-01-09 is landed: it has sha-256 {first['sha256']}, this one " in err


def test_json_for_machines(evalwatt: Run, tmp_path: Path) -> None:
    states.save(tmp_path, [*ROWS, row("c/wrong", bbh=200.0)])
    (tmp_path / "2025-01-08.jsonl").write_text("{")
    code, out, _ = evalwatt("contents_2025-01-09.parquet", "2025-01-08.jsonl", "--json")
    assert code == 1
    answer = json.loads(out)
    (state,) = answer["states"]
    assert (state["day"], state["rows"], state["new"], state["quarantined_rows"]) == ("2025-01-09", 2, True, 1)
    assert Path(state["quarantine"]).is_dir()
    (failure,) = answer["failures"]
    assert failure.startswith("2025-01-08.jsonl: is neither JSON Lines")


def test_a_date_for_a_name_without_one(evalwatt: Run, tmp_path: Path) -> None:
    states.save(tmp_path, ROWS).rename(tmp_path / "contents.parquet")
    code, _, err = evalwatt("contents.parquet")
    assert code == 2
    assert "contents.parquet: the name must contain one date" in err
    assert "--date" in err
    assert evalwatt("contents.parquet", "--date", "2025-01-09")[0] == 0
    assert len(states.landed(tmp_path / "data/landing")) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument"),
        (("nowhere.csv",), "nowhere.csv does not exist; name files or folders, or `hub`"),
        (("empty",), "empty contains no state"),
        (("hub", "empty"), "hub cannot be combined with files"),
        (("empty", "--since", "2025-01-01"), "--since and --revision need `hub`"),
        (("hub", "--since", "2025-01-01", "--revision", "abc"), "give only one of the options"),
        (("hub", "--date", "2025-01-01"), "--date with hub needs --revision"),
        (("2025-01-01.csv", "2025-01-02.csv", "--date", "2025-01-09"), "--date takes one state, not 2"),
        (("2025-01-01.csv", "--date", "9.1.2025"), "does not match the format"),
    ],
)
def test_wrong_use_says_what_is_right(evalwatt: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("2025-01-01.csv", "2025-01-02.csv"):
        (tmp_path / name).touch()
    code, out, err = evalwatt(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert not (tmp_path / "data").exists()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    made = History(tmp_path / "hub_files")
    for day in (8, 9, 10):
        made.commit(f"sha{day}", datetime(2025, 1, day, 12, tzinfo=UTC), ROWS)
    monkeypatch.setattr(hub_client, "connect", lambda: made)
    return made


def test_every_day_of_the_hub_since_one(evalwatt: Run, history: History, tmp_path: Path) -> None:
    code, out, _ = evalwatt("hub", "--since", "2025-01-09")
    assert code == 0
    assert "imported 2 states with 4 rows: 2025-01-09 to 2025-01-10" in out
    assert evalwatt("hub", "--since", "2025-01-08")[1].splitlines()[:2] == [
        "imported 1 state with 2 rows: 2025-01-08",
        "2 states were imported before; nothing changed",
    ]
    assert evalwatt("hub", "--since", "2025-02-01")[1] == "the hub has no state from that day on\n"


def test_one_revision_of_the_hub(evalwatt: Run, history: History, tmp_path: Path) -> None:
    assert "2025-01-08" in evalwatt("hub", "--revision", "sha8")[1]
    assert "2025-01-01" in evalwatt("hub", "--revision", "sha8", "--date", "2025-01-01")[1]
    assert "2025-01-10" in evalwatt("hub")[1]
    assert states.landed(tmp_path / "data/landing", date(2025, 1, 1))[0]["source"].endswith("@sha8")


IMPORT_AND_TELL = """
import sys
from orchestration import cli
try: cli.main()
finally: print(sorted({module.partition('.')[0] for module in sys.modules}))
"""


def test_a_terminal_sees_a_bar_and_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    states.save(tmp_path, ROWS)
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    command = [sys.executable, "-c", IMPORT_AND_TELL, "import-leaderboard", "contents_2025-01-09.parquet"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("TQDM_DISABLE", None)  # an evaluator that runs in the tests' own process sets it
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=writer) as process:
        os.close(writer)
        drawn = b""
        with contextlib.suppress(OSError):  # a terminal ends with an error when nobody writes to it any more
            while part := os.read(reader, 10_000):
                drawn += part
        os.close(reader)
        assert process.stdout is not None
        *_, loaded = process.stdout.read().decode().splitlines()
    assert process.returncode == 0
    assert b"importing: 100%" in drawn
    assert b"1/1" in drawn
    heavy = {"torch", "transformers", "lm_eval", "dbt", "dagster_dbt", "huggingface_hub"}
    assert not set(ast.literal_eval(loaded)) & heavy
