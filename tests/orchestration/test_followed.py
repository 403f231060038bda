"""What a night's message asked for, and a publication shows as done since, `status` asks for no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestration.cli import status
from orchestration.home import Home
from orchestration.nights.message import Line, Message, keep
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import BuiltRun, TaskOutcome
from tests.support.tiny import model_entry, save_catalogue

pytestmark = pytest.mark.long

NIGHT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
LINES = (
    Line("failed", "weak: it broke", "fix it, then `evalwatt evaluate weak`", (("weak", None),)),
    Line("failed", "bad: it broke", "fix it, then `evalwatt evaluate bad`", (("bad", None),)),
    Line("not begun", "late: the deadline came first", "`evalwatt run` evaluates it now", (("late", None),)),
    Line("failed", "half: two suites broke", "fix it, then `evalwatt evaluate half`", (("half", None),)),
    Line("succeeded", "steady"),
    Line("in doubt", "stuck: no change (steady t)", "`evalwatt evaluate steady --force`", (("steady", "t"),)),
    Line("in doubt", "foreign_load: others (busy t)", "`evalwatt evaluate busy --force`", (("busy", "t"),)),
    Line("unpublished", "a test failed", "fix the cause, then `evalwatt build`", ()),
    Line("budget", "heavy: not enforced", "give the entry a budget"),
)


def said(folder: Path, *options: str) -> str:
    places = {"EVALWATT_HOME": str(folder / "data"), "EVALWATT_CATALOGUE": str(folder / "catalogue.yml")}
    answer = CliRunner().invoke(status.command, options, env=places, catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stdout


def test_what_was_followed_is_asked_for_no_more(tmp_path: Path) -> None:
    save_catalogue(tmp_path, tasks=["t"], models=[model_entry("weak", "weak")])
    home = Home(tmp_path / "data")

    def run(model: str, at: datetime, flags: str | None = None, **changes: Any) -> None:
        BuiltRun(home.landing, model, [TaskOutcome("t", [True] * 4, 100.0, flags=flags)], at=at, **changes).land()

    before = NIGHT + timedelta(hours=1)
    # What was evaluated before the message is what it is about.
    run("weak", before, status="interrupted")
    run("late", before)
    run("half", before, status="failed")
    run("half", before, status="failed", suite="second", suite_version="s")
    run("steady", before, flags="stuck")
    run("busy", before, flags="foreign_load")
    message = Message(NIGHT, "Night of X: 1 of 4 models succeeded", LINES)
    kept = keep(home, message) / "message.json"
    after = datetime.now(UTC) + timedelta(seconds=1)
    assert message.text() in said(tmp_path), "nothing is published yet"

    run("weak", after)
    run("bad", after, status="failed")
    run("half", after)
    run("steady", after)
    run("busy", after, flags="foreign_load")
    assert message.text() in said(tmp_path), "what is evaluated is not published yet"
    assert not warehouse.load(home).quarantined
    dbt_build(home, "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    publication.publish(home, checks={"passed": 1, "failed": 0})

    followed = {line["words"]: line["followed"] for line in json.loads(said(tmp_path, "--json"))["last_night"]["lines"]}
    done = {LINES[0].words, LINES[5].words, LINES[7].words}
    assert {words for words, is_done in followed.items() if is_done} == done
    text = said(tmp_path)
    assert not any(words in text for words in done)
    assert all(line.words in text for line in LINES if line.words not in done)
    assert "  done        failed, in doubt, unpublished: done and published since" in text

    values = json.loads(kept.read_text())
    kept.write_text(json.dumps(values | {"lines": [line for line in values["lines"] if line["words"] in done]}))
    text = said(tmp_path)
    assert (
        "Night of X: everything its message asked for (failed, in doubt, unpublished) has been done and published since"
        in text
    )
    assert "1 of 4 models succeeded" not in text
    assert "->" not in text

    # An earlier version did not keep when it spoke: nothing is guessed.
    kept.write_text(json.dumps({name: value for name, value in values.items() if name != "at"}))
    assert message.text() in said(tmp_path)
