"""States from the history of a dataset, with a small stand-in at the client's boundary; and no network at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evaluators.leaderboards import StateRejected, hub
from evaluators.leaderboards.states import import_state
from evaluators.models import hub_client
from tests.support import states
from tests.support.hub_history import History
from tests.support.states import row


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path / "hub")
    noon = datetime(2025, 1, 8, 12, tzinfo=UTC)
    made.commit("first", noon, [row("a/one")])
    made.commit("early", noon + timedelta(days=1), [row("a/one"), row("a/early")])
    # Late in the evening in New York, and the next day in UTC.
    made.commit("late", datetime(2025, 1, 9, 22, tzinfo=timezone(timedelta(hours=-5))), [row("a/one"), row("a/late")])
    made.commit("last", noon + timedelta(days=2), [row("a/one"), row("a/two"), row("a/three")], files=2)
    return made


def test_the_last_commit_of_each_utc_day_is_its_state(history: History) -> None:
    found = hub.revisions(history, date(2025, 1, 9))
    assert found == [hub.Revision(date(2025, 1, 9), "early"), hub.Revision(date(2025, 1, 10), "last")]
    assert [revision.sha for revision in hub.revisions(history, date(2020, 1, 1))] == ["first", "early", "last"]
    assert hub.revisions(history, date(2025, 2, 1)) == []


def test_without_a_day_it_is_the_newest(history: History) -> None:
    assert hub.revisions(history) == [hub.Revision(date(2025, 1, 10), "last")]


def test_a_revision_has_its_own_day_unless_another_is_given(history: History) -> None:
    assert hub.revision(history, "late") == hub.Revision(date(2025, 1, 10), "late")
    assert hub.revision(history, "late", date(2025, 1, 9)).day == date(2025, 1, 9)


def test_all_parquet_files_of_a_revision_are_its_rows(history: History, tmp_path: Path) -> None:
    (found,) = hub.revisions(history)
    imported = import_state(
        lambda: hub.read(history, found), found.day, found.source, tmp_path / "landing", tmp_path / "quarantine"
    )
    assert imported.rows == 3
    assert imported.source == "open-llm-leaderboard/contents@last"
    assert {record["source"] for record in states.landed(tmp_path / "landing", found.day)} == {imported.source}
    assert history.asked == ["last/data/train-0.parquet", "last/data/train-1.parquet"]


def test_a_revision_without_rows_is_rejected(history: History) -> None:
    (history.folder / "first" / "data" / "train-0.parquet").unlink()
    with pytest.raises(StateRejected, match="no Parquet file"):
        hub.read(history, hub.Revision(date(2025, 1, 8), "first"))


def test_files_that_differ_in_their_columns_are_rejected(history: History) -> None:
    pq.write_table(states.table([row()]).drop_columns(["MoE"]), history.folder / "last" / "data" / "train-1.parquet")
    with pytest.raises(StateRejected, match="have different columns"):
        hub.read(history, hub.revisions(history)[0])


IMPORT = [sys.executable, "-m", "orchestration.cli", "import-leaderboard", "hub"]


def _without_network(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"EVALWATT_HOME": str(tmp_path / "data"), "HF_HOME": str(tmp_path / "hf"), **environment}
    return subprocess.run(
        [*IMPORT, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [(), ("--since", "2025-01-09"), ("--revision", "abc")])
def test_no_network_is_one_message_at_once(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and nobody else takes the port
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        ended = _without_network(tmp_path, *arguments, HF_ENDPOINT=endpoint)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: the hub does not answer (")
    assert "evalwatt import-leaderboard PATH" in line
    assert not (tmp_path / "data").exists()


def test_offline_mode_is_said_as_it_is(tmp_path: Path) -> None:
    ended = _without_network(tmp_path, HF_HUB_OFFLINE="1")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "offline mode is enabled" in line


def test_the_token_is_the_environments_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert vars(hub_client.connect())["token"] is False
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    assert vars(hub_client.connect())["token"] == "hf_canary"
