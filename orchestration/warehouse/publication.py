"""From the private build file to a version that readers see: one immutable folder, one symlink switch.

    published/versions/<build id>/marts.duckdb          the marts with their comments, and the table `publication`
    published/versions/<build id>/parquet/<mart>.parquet
    published/current -> versions/<build id>

Belongs here: the order of the steps. `marts_files` writes a version's files, `versions` handles its folder. Checks
decide whether the marts are good enough; the caller passes their results.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.home import Home
from orchestration.warehouse.marts_files import describe, export_onto_the_version_before, settle
from orchestration.warehouse.published import NothingPublished
from orchestration.warehouse.versions import TEMPORARY, PublicationRefused, fsync, remove, retire, seal, sweep, switch

KEEP_VERSIONS = 5


@dataclass(frozen=True, slots=True)
class Publication:
    """A published version."""

    build_id: str
    path: Path
    row_counts: dict[str, int]
    published_at: datetime


def publish(
    home: Home, checks: Mapping[str, int] | None = None, git_sha: str | None = None, keep: int = KEEP_VERSIONS
) -> Publication:
    """Publish the build file's marts as the new current version and retire versions beyond the newest `keep`.

    `checks` counts outcomes, such as {"passed": 80, "failed": 0}. Raises PublicationRefused if a check failed or
    the build file is missing, in use, damaged or without marts.
    """
    if failed := (checks or {}).get("failed", 0):
        raise PublicationRefused(f"{failed} checks failed; fix what they show, then run `evalwatt build`")
    now = datetime.now(UTC)
    build_id = f"{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(3)}"
    versions = home.published / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    sweep(versions)
    temporary = versions / f"{TEMPORARY}{build_id}"
    try:
        (temporary / "parquet").mkdir(parents=True)
        settle(home.warehouse)
        row_counts = export_onto_the_version_before(home, temporary)
        describe(temporary, build_id, now, git_sha, row_counts, checks or {})
        seal(temporary)
        final = versions / build_id
        temporary.rename(final)
        final.chmod(0o555)
        fsync(versions)
        switch(home.current, Path("versions") / build_id)
    except (duckdb.Error, OSError) as error:
        raise PublicationRefused(f"{home.warehouse} cannot be published; the current version stays: {error}") from None
    finally:
        remove(temporary)
    retire(versions, keep, current=build_id)
    return Publication(build_id, final, row_counts, now)


def current(home: Home) -> Path:
    """The folder of the current version. Raises NothingPublished."""
    if not (home.marts).exists():
        raise NothingPublished(f"nothing is published in {home.published}; run `evalwatt run` first")
    return home.current.resolve()
