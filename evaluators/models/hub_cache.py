"""The hub's cache on this machine: what it contains, what the catalogue still names, and freeing the rest.

Belongs here: revisions of models and data sets that huggingface_hub downloaded, listed and deleted with its functions.
Does not belong here: models built from them (`prepared`).

Several installations may share the cache. A process that loads a repository holds a shared lock beside it, which ends
with the process; locked repositories are not freed. The lock file also records when the repository was last used,
because file systems often do not keep access times.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evaluators.catalogue.entries import Catalogue, ModelEntry

if TYPE_CHECKING:
    from huggingface_hub import CachedRepoInfo, CachedRevisionInfo, HFCacheInfo

MODEL, DATA_SET = "model", "dataset"
_LOCKS = ".locks/evalwatt"  # huggingface_hub does not look for repositories there
_DATA_SETS = "datasets"  # tasks name them, not the catalogue: one lock covers all


@dataclass(frozen=True, slots=True)
class CachedRevision:
    """A downloaded revision. `size_bytes` includes files that it shares with another revision.

    `named_by` are the catalogue entries that are pinned to it; data sets have none, because tasks name them.
    """

    kind: str
    repo: str
    revision: str
    size_bytes: int
    last_used: datetime
    named_by: tuple[str, ...]
    in_use: bool


@dataclass(frozen=True, slots=True)
class Freed:
    """What was freed; `left_bytes` is what the cache holds now."""

    revisions: tuple[CachedRevision, ...]
    freed_bytes: int
    left_bytes: int

    def __str__(self) -> str:
        which = ", ".join(f"{found.repo}@{found.revision[:12]}" for found in self.revisions) or "nothing"
        return f"freed {gigabytes(self.freed_bytes)} of the hub's cache ({which}); {gigabytes(self.left_bytes)} remain"


def gigabytes(size_bytes: int) -> str:
    """A size in words, in decimal units, as disks are sold."""
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e7 else f"{size_bytes / 1e6:.2f} MB"


def path() -> Path:
    """Where huggingface_hub keeps what it downloads: HF_HUB_CACHE, or what HF_HOME says."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


@contextmanager
def in_use(entries: Iterable[ModelEntry]) -> Iterator[None]:
    """Protect the entries' repositories, and all data sets, from being freed until the block or the process ends."""
    names = {_lock_name(MODEL, str(entry.repo)) for entry in entries if entry.source == "hub"} | {_DATA_SETS}
    with ExitStack() as held:
        for name in sorted(names):
            with suppress(OSError):  # a cache that cannot be written to cannot be freed either
                held.enter_context(_locked(path() / _LOCKS / name, fcntl.LOCK_SH))
        yield


def revisions(catalogue: Catalogue) -> list[CachedRevision]:
    """All complete revisions in the cache, the least recently used first."""
    scanned = _scan()
    return _revisions(scanned, catalogue) if scanned else []


def size_bytes() -> int:
    """The size of the whole cache."""
    scanned = _scan()
    return scanned.size_on_disk if scanned else 0


def free_unnamed(catalogue: Catalogue) -> Freed:
    """Free the models that no catalogue entry is pinned to. Data sets are kept, because tasks name them."""
    return _free(catalogue, lambda found: not found.named_by and found.kind == MODEL, None)


def free_to(limit_bytes: int, catalogue: Catalogue, keep: Iterable[ModelEntry] = ()) -> Freed:
    """Free until the cache is within the limit: least recently used first, and revisions that the catalogue names only
    after all others. Never frees what is in use, or what `keep` is pinned to."""
    kept = {entry.revision for entry in keep}
    return _free(catalogue, lambda found: found.revision not in kept, limit_bytes)


def _free(catalogue: Catalogue, wanted: Callable[[CachedRevision], bool], limit_bytes: int | None) -> Freed:
    freed: list[CachedRevision] = []
    scanned = _scan()
    before = left = scanned.size_on_disk if scanned else 0
    candidates = sorted(_revisions(scanned, catalogue), key=lambda r: bool(r.named_by)) if scanned else []
    for revision in candidates:
        if limit_bytes is not None and left <= limit_bytes:
            break
        if not wanted(revision):
            continue
        try:
            with _locked(path() / _LOCKS / _lock_name(revision.kind, revision.repo), fcntl.LOCK_EX | fcntl.LOCK_NB):
                assert scanned is not None
                scanned.delete_revisions(revision.revision).execute()
        except OSError:  # in use, or not ours to delete
            continue
        if (scanned := _scan()) is None or scanned.size_on_disk < left:
            freed.append(revision)
        left = scanned.size_on_disk if scanned else 0
    return Freed(tuple(freed), before - left, left)


def _scan() -> HFCacheInfo | None:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir(path())
    except CacheNotFound:
        return None


def _revisions(scanned: HFCacheInfo, catalogue: Catalogue) -> list[CachedRevision]:
    names: dict[str, list[str]] = {}
    for entry in catalogue.needed().values():
        names.setdefault(entry.revision or "", []).append(entry.name)
    found = [
        CachedRevision(
            kind=repo.repo_type,
            repo=repo.repo_id,
            revision=revision.commit_hash,
            size_bytes=revision.size_on_disk,
            last_used=_last_used(repo, revision),
            named_by=tuple(names.get(revision.commit_hash, ())),
            in_use=_is_in_use(repo.repo_type, repo.repo_id),
        )
        for repo in scanned.repos
        for revision in repo.revisions
    ]
    return sorted(found, key=lambda revision: (revision.last_used, revision.repo, revision.revision))


def _last_used(repo: CachedRepoInfo, revision: CachedRevisionInfo) -> datetime:
    """Shared files do not show when this revision was used, unless it has no others."""
    shared = {file.blob_path for other in repo.revisions - {revision} for file in other.files}
    own = [file.blob_last_accessed for file in revision.files if file.blob_path not in shared]
    lock = path() / _LOCKS / _lock_name(repo.repo_type, repo.repo_id)
    noted = lock.stat().st_mtime if repo.repo_type == MODEL and lock.exists() else 0.0
    return datetime.fromtimestamp(max([noted, *(own or [repo.last_accessed])]), tz=UTC)


def _is_in_use(kind: str, repo: str) -> bool:
    lock = path() / _LOCKS / _lock_name(kind, repo)
    if not lock.exists():
        return False
    try:
        with _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, touch=False):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _lock_name(kind: str, repo: str) -> str:
    return f"models--{repo.replace('/', '--')}" if kind == MODEL else _DATA_SETS


@contextmanager
def _locked(lock: Path, how: int, *, touch: bool = True) -> Iterator[None]:
    """Raises BlockingIOError where LOCK_NB finds it taken."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, how)
        if touch and how == fcntl.LOCK_SH:
            os.utime(descriptor)
        yield
    finally:
        os.close(descriptor)
