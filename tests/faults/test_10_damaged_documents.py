"""Fault 10: a truncated, empty or non-JSON spec, result or leaderboard file.

It is rejected by name; 0 rows are never a success.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from evaluators.__main__ import main
from evaluators.landing import bundles, lifecycle
from orchestration.cli.import_leaderboard import command
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support import states
from tests.support.landing_builder import BuiltRun, TaskOutcome

NOT_JSON = pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"run_id": "x"}', "<html>404</html>"], ids=lambda content: content or "empty"
)


@NOT_JSON
def test_10_a_spec_is_rejected_by_name(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content)
    assert main([str(path)]) == 2
    assert f"{path}: not a valid spec (" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


@NOT_JSON
def test_10_a_run_whose_beginning_is_damaged_is_quarantined_by_name(tmp_path: Path, content: str) -> None:
    home = Home(tmp_path)
    run = BuiltRun(home.landing, "base", [TaskOutcome("mc", [True, False], 100.0)])
    damaged, whole = run.land(), run.land()
    for run_id in (damaged, whole):
        (home.landing / run_id / bundles.END_BUNDLE).rename(tmp_path / f"end of {run_id}")
        (home.landing / run_id / bundles.RUN_FILE).write_text(lifecycle._as_json(run.end_row(run_id)))
    (home.landing / damaged / bundles.RUN_FILE).write_text(content)

    report = warehouse.load(home)
    ((run_id, _, reason),) = report.quarantined
    assert run_id == damaged
    assert "run.json is damaged" in reason
    assert (report.loaded_runs, report.interrupted) == (1, [whole])
    assert json.loads((home.quarantine / damaged / "run" / "reason.json").read_text())["reason"] == reason
    assert warehouse.load(home).quarantined == []


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("cut", [None, 0.6, 2], ids=["empty", "half", "in its last cell"])
def test_10_a_leaderboard_file_is_rejected_by_name(
    tmp_path: Path, suffix: str, cut: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALWATT_HOME", str(tmp_path / "home"))
    table = states.table([states.row(f"a/model-{number}") for number in range(3)])
    path = tmp_path / f"contents_{states.DAY}{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path)
    elif suffix == ".csv":
        table.to_pandas().to_csv(path, index=False)
    else:
        states.save_json_lines(path, table.to_pylist())
    content = path.read_bytes()
    missing = len(content) if cut is None else int(cut * len(content)) if cut < 1 else int(cut)
    path.write_bytes(content[:-missing])
    done = CliRunner().invoke(command, [str(path)])
    assert done.exit_code == 1
    assert f"FAILED {path.name}: " in done.stderr
    assert "imported" not in done.stdout
    assert not list((tmp_path / "home").rglob("*.parquet"))
