"""The project's papers against what they describe: licence, versions, workflow, hooks, picture, recipes, decisions."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from orchestration.home import PROJECT

CONTRIBUTING, ARCHITECTURE = PROJECT / "CONTRIBUTING.md", PROJECT / "docs" / "architecture.md"
DECISIONS = PROJECT / "docs" / "decisions"
PYTHON = "Programming Language :: Python :: "


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    return yaml.safe_load(text(PROJECT / name))


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads(text(PROJECT / "pyproject.toml"))["project"])


def test_the_licence_is_the_one_that_the_project_states(project: dict[str, Any]) -> None:
    assert project["license"] == "Apache-2.0"
    assert text(PROJECT / "LICENSE").split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert not [line for line in project["classifiers"] if line.startswith("License")], "an expression allows no other"


def test_the_version_is_the_newest_release_of_the_changelog(project: dict[str, Any]) -> None:
    releases = re.findall(r"^## (\d\S*), (\S+)$", text(PROJECT / "CHANGELOG.md"), re.MULTILINE)
    assert project["version"] == releases[0][0]
    days = [date.fromisoformat(day) for _, day in releases]
    assert days == sorted(days, reverse=True)


def test_ci_runs_on_every_python_that_is_promised(project: dict[str, Any]) -> None:
    (job,) = read_yaml(".github/workflows/ci.yml")["jobs"].values()
    pythons = job["strategy"]["matrix"]["python"]
    promised = SpecifierSet(project["requires-python"])
    assert pythons == [f"3.{minor}" for minor in range(100) if f"3.{minor}" in promised]
    assert pythons == [line.removeprefix(PYTHON) for line in project["classifiers"] if line.startswith(f"{PYTHON}3.")]
    assert job["env"]["PYTHON"] == "python${{ matrix.python }}"
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_hooks_run_what_make_lint_runs() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    entries = [shlex.split(hook["entry"]) for hook in repository["hooks"]]
    assert not [hook["id"] for hook in repository["hooks"] if hook["pass_filenames"]]
    # As from a person's shell: under `make test` the variables of that make would speak into this one.
    shell = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", "--always-make", "lint"]
    done = subprocess.run(command, cwd=PROJECT, env=shell, capture_output=True, text=True, check=True)
    planned = done.stdout.splitlines()
    commands = [shlex.split(line) for line in planned if line.startswith(".venv/bin/")]
    assert entries == [words for words in commands if words[0] != ".venv/bin/python"]


@pytest.mark.parametrize("document", [CONTRIBUTING, ARCHITECTURE, PROJECT / "CHANGELOG.md"], ids=lambda p: p.name)
def test_every_file_that_is_named_is_there(document: Path) -> None:
    words = re.findall(r"`([^`\s]+)`", text(document))
    named = {word for word in words if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+/?", word)}
    # What a home has, and what a reader will write, is no file of the project's.
    named = {word for word in named if not re.match(r"(?:landing|published|my_\w+)/|.*[/_]x\.", word)}
    roots = (PROJECT, PROJECT / "dbt_project" / "models")
    missing = {word for word in named if not any((root / word).exists() for root in roots)}
    assert not missing
    if document == CONTRIBUTING:
        assert len(named) > 30, "the recipes name their files"


@pytest.mark.parametrize(
    "document", [CONTRIBUTING, PROJECT / "CHANGELOG.md", *sorted(DECISIONS.glob("*.md"))], ids=lambda p: p.name
)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(document)):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("package", ["evaluators", "orchestration"])
def test_the_picture_has_the_rooms_in_their_order(package: str) -> None:
    contracts = configparser.ConfigParser()
    contracts.read(PROJECT / ".importlinter")
    layers = contracts[f"importlinter:contract:rooms-of-{package}"]["layers"].split("\n")
    picture = text(ARCHITECTURE).partition("flowchart TB")[2]
    picture = picture.partition(f"subgraph {package}\n")[2].partition("end\n")[0]
    places = []
    for layer in filter(None, layers):
        rooms = [room.strip() for room in layer.split("|")]
        if rooms == ["__main__"] or len(rooms) > 6:  # an entry point; small modules, of which the picture has some
            continue
        found = [re.search(rf"\b{room}\b", picture) for room in rooms]
        assert all(found), layer
        places.append(min(match.start() for match in found if match))
    assert places == sorted(places)


def test_every_decision_is_dated_and_in_the_index() -> None:
    index = text(DECISIONS / "README.md")
    pages = sorted(page for page in DECISIONS.glob("*.md") if page.name != "README.md")
    assert pages
    for page in pages:
        title, _, day, _, chosen, *_ = text(page).splitlines()
        assert title.startswith("# ")
        assert page.name.startswith(f"{date.fromisoformat(day)}-")
        assert chosen.startswith("**Chosen:** ")
        assert "**Instead of:**" in text(page), f"{page.name} names no alternative"
        assert f"- {day}: [{title.removeprefix('# ')}]({page.name})" in index
