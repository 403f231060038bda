"""The documents' commands: each is run here as it stands, or its comment says what it needs that a test has not.

They are run in the order in which one reads them, in one home that has two nights, and each text once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import click
import pytest

from orchestration.cli import cli
from orchestration.home import Home
from tests.support.documents import DOCUMENTS, ROOT, Command, commands
from tests.support.states import row, save
from tests.support.tiny import model_entry, save_catalogue, save_model, save_tasks

COMMANDS = commands()
# What a command may need: words of its comment, `needs …`.
NEEDS = ("the hub", "a GPU", "root", "minutes")


@dataclass
class Reader:
    """Somebody who follows the documents in a folder."""

    folder: Path
    places: dict[str, str]
    done: set[str] = field(default_factory=set)

    def follow(self, command: Command) -> None:
        """Run a command as it stands, but for names that stand for the reader's own."""
        text = command.text
        for name, own in self.places.items():
            text = text.replace(name, own)
        if text in self.done:
            return
        self.done.add(text)
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "EVALWATT_HOME": str(self.folder / "data"),
            "EVALWATT_CATALOGUE": str(self.folder / "catalogue.yml"),
        }
        ended = subprocess.run(
            ["bash", "-c", text], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        if command.words[:2] == ["evalwatt", "sql"]:
            assert len(ended.stdout.splitlines()) > 1, f"{command}: no rows"


@pytest.fixture(scope="module")
def reader(homes: dict[str, Home], tmp_path_factory: pytest.TempPathFactory) -> Reader:
    folder = tmp_path_factory.mktemp("a reader's folder")
    save_model(folder / "model")
    save_tasks(folder / "tasks")
    save_catalogue(
        folder,
        tasks=["tiny_one"],
        models=[
            model_entry("my-base", "model", retired="evaluated long ago"),
            model_entry("my-model", "model", kind="fine_tuned", base_model="my-base", retired="evaluated long ago"),
        ],
    )
    save(folder, [row("a/model")], date(2025, 1, 9))
    (folder / "states").mkdir()
    save(folder / "states", [row("a/model"), row("b/model")], date(2025, 1, 10))
    built = homes["decided"]
    home = Home(folder / "data")
    shutil.copytree(built.path.parent / "landing", home.landing)
    shutil.copyfile(built.warehouse, home.warehouse)
    version = home.published / "versions" / "b1"
    shutil.copytree(built.published, version)
    home.current.symlink_to(Path("versions") / "b1")
    runs = sorted(path.name for path in home.landing.iterdir() if len(path.name) == 26)
    (folder / "examples").symlink_to(ROOT / "examples")
    shutil.copytree(homes["mixed"].landing, folder / "another machine" / "landing")
    own = {"01JQ…": runs[0], "FOLDER": "states/", "OTHER": "'another machine'", "SmolLM2-135M-Instruct": "base"}
    return Reader(folder, own)


def test_what_a_command_needs_is_one_of_few_things() -> None:
    assert {command.needs for command in COMMANDS} <= {None, *NEEDS}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.needs and c.words[0] == "evalwatt"], ids=str)
def test_a_command_that_cannot_run_here_is_well_formed(command: Command) -> None:
    _, verb, *arguments = command.words
    found = cli.get_command(click.Context(cli), verb)
    assert found is not None, f"no verb {verb}"
    found.make_context(verb, arguments)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[0] == "make"], ids=str)
def test_every_make_target_exists(command: Command) -> None:
    targets = [word for word in command.words[1:] if re.fullmatch("[a-z]+", word)]
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")).split()
    assert targets
    assert set(targets) <= set(phony)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[0] != "make"], ids=str)
def test_every_command_works_as_it_stands(command: Command, reader: Reader) -> None:
    if command.needs:
        pytest.skip(f"needs {command.needs}")
    reader.follow(command)


def test_every_link_between_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
