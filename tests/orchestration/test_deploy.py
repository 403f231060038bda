"""The units in deploy/: systemd accepts them, and they name programs and folders that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.home import PROJECT

INSTALLED = "/opt/evalwatt"
UNITS = sorted((PROJECT / "deploy").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    programs = tmp_path / "bin"
    programs.symlink_to(Path(sys.executable).parent)  # systemd splits paths that hold a space
    (tmp_path / "project").symlink_to(PROJECT)
    text = unit.read_text().replace(f"{INSTALLED}/.venv/bin", str(programs))
    text = text.replace(INSTALLED, str(tmp_path / "project"))
    (tmp_path / unit.name).write_text(re.sub("^(User|Group)=.*\n", "", text, flags=re.MULTILINE))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / unit.name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_may_write_its_state_and_the_manifest_and_is_not_privileged(unit: Path) -> None:
    settings = dict(line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"\w+=", line))
    assert settings["User"] == "evalwatt"
    assert settings["ProtectSystem"] == "strict"
    assert settings["NoNewPrivileges"] == "yes"
    assert settings["StateDirectory"] == "evalwatt"
    assert settings["ReadWritePaths"] == f"{INSTALLED}/dbt_project/target"
    assert "-h 127.0.0.1" in settings["ExecStart"] or "daemon" in settings["ExecStart"]
