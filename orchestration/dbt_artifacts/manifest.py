"""dbt's manifest, from which Dagster reads the models. Parses the project if it is missing or out of date.

`python -m orchestration.dbt_artifacts.manifest` does that ahead of time, for `make`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from orchestration.home import DBT_PROJECT, Home

_GENERATED = {"target", "logs", "dbt_packages"}


class ManifestError(Exception):
    """dbt cannot parse its project; the message is dbt's."""


def manifest(project: Path = DBT_PROJECT) -> Path:
    """The path of an up-to-date manifest. Raises ManifestError if dbt cannot parse the project."""
    path = project / "target" / "manifest.json"
    writable = path.parent if path.parent.exists() else project
    if not os.access(writable, os.W_OK):  # a read-only checkout: nobody can parse here, so there is no lock to take
        if _is_current(path, project):
            return path
        raise ManifestError(
            f"{path} is missing or older than the dbt project, and {writable} is read-only; "
            "run `make setup` as a user with write access"
        )
    path.parent.mkdir(exist_ok=True)
    with FileLock(path.parent / "manifest.lock"):  # webserver, daemon and command line may all start at once
        if not _is_current(path, project):
            _parse(project)
    return path


def _is_current(path: Path, project: Path) -> bool:
    return path.exists() and path.stat().st_mtime >= max(source.stat().st_mtime for source in _sources(project))


def project_hash(project: Path = DBT_PROJECT) -> str:
    """sha-256 of the project's files: incremental models that another version of it built are rebuilt."""
    content = hashlib.sha256()
    for source in sorted(path for path in _sources(project) if path.is_file()):
        content.update(str(source.relative_to(project)).encode() + b"\0" + source.read_bytes() + b"\0")
    return content.hexdigest()


def parsed_here(project: Path = DBT_PROJECT) -> list[str]:
    """Arguments for every dbt command. dbt's partial parse contains absolute paths of seeds, which are wrong in another
    copy of the project; a changed variable makes it parse everything again. No model reads this variable."""
    return ["--vars", json.dumps({"project": str(project)})]


def _sources(project: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name not in _GENERATED]
        yield Path(folder)  # its time changes when files are removed
        yield from (Path(folder, name) for name in files)


def _parse(project: Path) -> None:
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "parse", "--project-dir", str(project)]
    command += ["--profiles-dir", str(project), "--target-path", str(project / "target"), *parsed_here(project)]
    environment = os.environ | {"EVALWATT_HOME": str(Home.from_env().path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ManifestError(f"dbt cannot parse {project}:\n{(result.stdout + result.stderr).strip()}")


def _main() -> None:
    started, path = time.monotonic(), DBT_PROJECT / "target" / "manifest.json"
    was_there = _is_current(path, DBT_PROJECT)
    try:
        manifest()
    except ManifestError as error:
        sys.exit(str(error))
    if not was_there:
        print(f"set-up: dbt's project parsed in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    _main()
