"""dbt's manifest in a checkout that nobody may write to, and what dbt keeps of a checkout that moves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.home import PROJECT

# Permissions do not stop root, a read-only mount does.
READ_ONLY = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"')
MANIFEST = "import sys; from pathlib import Path; from orchestration.dbt_artifacts.manifest import manifest; "
MANIFEST += "print(manifest(Path(sys.argv[1])))"

BUILD_SEED = """
import dagster as dg

from evaluators.catalogue.entries import Settings
from orchestration.dbt_artifacts.manifest import manifest
from orchestration.defs.freshness import every_night
from orchestration.defs.marts import dbt_models
from orchestration.defs.resources import Paths, default_resources

models = dbt_models(manifest(), every_night(Settings()))
dg.materialize(
    [models], resources=default_resources(Paths.from_env()), selection=[dg.AssetKey(["seeds", "size_buckets"])]
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose manifest is newer than its files."""
    folder = tmp_path / "dbt_project"
    (folder / "target").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: x")
    (folder / "target" / "manifest.json").write_text("{}")
    return folder


def read_only(project: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*READ_ONLY, str(project), sys.executable, "-c", MANIFEST, str(project)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"this machine does not let a process mount its own files: {done.stderr.strip()}")
    return done


def test_a_current_manifest_is_read_where_nothing_may_be_written(project: Path) -> None:
    done = read_only(project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(project / "target" / "manifest.json")


def test_an_old_manifest_there_says_what_to_do(project: Path) -> None:
    (project / "target" / "manifest.json").unlink()
    done = read_only(project)
    assert done.returncode == 1
    assert "is read-only; run `make setup` as a user with write access" in done.stderr


@pytest.mark.long
def test_a_home_is_built_again_after_its_checkout_has_moved(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for name in ("dbt_project", "evaluators", "orchestration"):
        shutil.copytree(PROJECT / name, first / name, ignore=shutil.ignore_patterns("target", "__pycache__"))
    build_seed(first, tmp_path / "home")
    first.rename(second)
    build_seed(second, tmp_path / "home")


def build_seed(checkout: Path, home: Path) -> None:
    """As a build does it, with the code of a checkout."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD_SEED],
        cwd=checkout,
        env=os.environ | {"EVALWATT_HOME": str(home), "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
