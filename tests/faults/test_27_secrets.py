"""27. A secret token in the environment or arguments: absent from landing, warehouse, published files, report, logs and
Dagster's metadata."""

from __future__ import annotations

import json
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from evaluators.redaction import BLANK, redact
from tests.support import hub_server, tiny
from tests.support.evaluations import evaluate_all, rows, save_workplace, specs, start_evaluator
from tests.support.night import IN_NO_VARIABLE, SECRETS, Night, the_night


@pytest.fixture
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return the_night(tmp_path_factory)


def everything_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is, and what databases and Parquet files hold once it is unpacked."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        yield str(path), content
        if path.suffix == ".parquet":
            yield str(path), str(pq.ParquetFile(path).read().to_pydict()).encode()
        elif path.suffix == ".duckdb":
            with duckdb.connect(path, read_only=True) as database:
                for schema, table in database.sql("select schema_name, table_name from duckdb_tables()").fetchall():
                    yield f"{path}: {table}", str(database.table(f'"{schema}"."{table}"').fetchall()).encode()
        elif content.startswith(b"SQLite format 3"):
            yield from _rows_of_sqlite(path)


def _rows_of_sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    with sqlite3.connect(path) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute(f'select * from "{table}"'):
                for value in row:
                    yield f"{path}: {table}", _unpacked(value)


def _unpacked(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def test_a_night_keeps_them_to_itself(night: Night) -> None:
    needles = [secret.encode() for secret in (*SECRETS.values(), IN_NO_VARIABLE)]
    places = {"standard output": night.ended.stdout.encode(), "standard error": night.ended.stderr.encode()}
    looked_at = 0
    for place, content in [*places.items(), *everything_in(night.folder / "data")]:
        looked_at += len(content)
        assert not [needle for needle in needles if needle in content], place
    assert looked_at > 1_000_000


def test_what_was_spilt_arrived_without_them(night: Night) -> None:
    """Else the search above would have nothing to find."""
    (run,) = [row for row in rows(night.folder, "evaluation_runs") if row["model_id"] == "leaky"]
    assert f"spilt at https://{BLANK}@example.org: {BLANK} and {BLANK}" in run["task_failures_json"]
    logs = b"".join(content for place, content in everything_in(night.folder / "data" / "dagster"))
    for word in ("printed:", "complained:", "spilt at", "trained:", "with losses:", "ended at"):
        assert f"{word} ".encode() in logs, word


def test_arguments_land_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_workplace(tmp_path, "tiny_one")
    secret = "CanaryAmongArguments"
    arguments = [
        "--hf-token",
        secret,
        f"--password={secret}",
        f"API_KEY={secret}",
        f"https://me:{secret}@host/x",
        "spec",
    ]
    monkeypatch.setattr(sys, "argv", ["/usr/bin/own.py", *arguments])
    evaluate_all(tmp_path)
    for place, content in everything_in(tmp_path / "data"):
        assert secret.encode() not in content, place
    (run,) = rows(tmp_path, "evaluation_runs")
    assert run["command"] == (
        f"own.py --hf-token {BLANK} --password={BLANK} API_KEY={BLANK} https://{BLANK}@host/x spec"
    )


def test_a_gated_model_is_a_failed_row_without_the_token(tmp_path: Path) -> None:
    """The hub runs on this machine and repeats the token in its refusal."""
    token = SECRETS["HF_TOKEN"]
    save_workplace(tmp_path, "tiny_one")
    catalogue = json.loads((tmp_path / "catalogue.yml").read_text())
    locked = tiny.model_entry("locked", "", source="hub", repo=hub_server.REPO, revision=hub_server.REVISION)
    del locked["path"]
    catalogue["models"] = [locked]
    (tmp_path / "catalogue.yml").write_text(json.dumps(catalogue))
    with hub_server.gated_hub(**{token: False}) as hub:
        environment = {"HF_TOKEN": token, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache")}
        _, said = start_evaluator(tmp_path, specs(tmp_path)[0], environment=environment).communicate()
    (run,) = rows(tmp_path, "evaluation_runs")
    assert (run["status"], "HF_TOKEN has no access" in run["reason"]) == ("failed", True)
    assert token not in said
    for place, content in everything_in(tmp_path):
        assert token.encode() not in content, place


@pytest.mark.parametrize(
    "text",
    [
        "max_new_tokens=256 and TOKENIZERS_PARALLELISM=false",
        "the tokenizer has no token for it",
        "https://huggingface.co/a/b@main",
        "key (run_id, task) is not unique",
        "author@example.org",
    ],
)
def test_ordinary_words_stay(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "tokenizer")
    monkeypatch.setenv("HF_TOKEN", "short")
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "hf_abcdefghijklmnopqrstuvwx",
        "Authorization: Bearer abc.def",
        "ghp_abcdefghijklmnopqrstuvwx",
        "sk-abcdefghijklmnopqrstuvwx",
    ],
)
def test_what_looks_like_one_is_blanked_wherever_it_came_from(text: str) -> None:
    assert redact(f"said {text}!").endswith(f"{BLANK}!") or redact(f"said {text}").endswith(BLANK)


def test_a_secret_that_holds_another_leaves_no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "CanaryInside")
    monkeypatch.setenv("OTHER_TOKEN", "CanaryInsideAnother")
    assert redact("said CanaryInsideAnother and CanaryInside") == f"said {BLANK} and {BLANK}"
