"""The leaderboard's states in the history of its dataset on the hub, and their rows.

Does not belong here: the connection to the hub (`models.hub_client`), and what a state's rows mean (`open_llm`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from evaluators.leaderboards import StateRejected, formats
from evaluators.models.hub_client import TIMEOUT_S
from evaluators.redaction import redact

REPOSITORY = "open-llm-leaderboard/contents"


class HubUnavailable(Exception):
    """The hub does not answer, or refuses; the message says what to do."""


class Commit(Protocol):
    """The part of the client's `GitCommitInfo` that is used."""

    commit_id: str
    created_at: datetime


class Client(Protocol):
    """The part of `huggingface_hub.HfApi` that is used."""

    def dataset_info(self, repo_id: str, *, revision: str | None, timeout: float) -> Any: ...
    def list_repo_commits(self, repo_id: str, *, repo_type: str, revision: str | None) -> list[Any]: ...
    def list_repo_files(self, repo_id: str, *, repo_type: str, revision: str) -> list[str]: ...
    def hf_hub_download(self, repo_id: str, filename: str, *, repo_type: str, revision: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Revision:
    """The dataset's last commit of a UTC day."""

    day: date
    sha: str

    @property
    def source(self) -> str:
        return f"{REPOSITORY}@{self.sha}"


def revisions(client: Client, since: date | None = None) -> list[Revision]:
    """The last commit of each UTC day from `since` on, oldest first; without `since`, only the newest commit."""
    days: dict[date, Commit] = {}
    for commit in _commits(client, None):
        day = commit.created_at.astimezone(UTC).date()
        if day not in days or commit.created_at > days[day].created_at:
            days[day] = commit
    wanted = [max(days)] if since is None else [day for day in sorted(days) if day >= since]
    return [Revision(day, days[day].commit_id) for day in wanted]


def revision(client: Client, sha: str, day: date | None = None) -> Revision:
    """One commit, on its own day unless `day` is given."""
    newest = max(_commits(client, sha), key=lambda commit: commit.created_at)
    return Revision(day or newest.created_at.astimezone(UTC).date(), newest.commit_id)


def read(client: Client, wanted: Revision) -> pa.Table:
    """The rows of a revision, under the dataset's own column names. Raises HubUnavailable, StateRejected."""
    with _explained(wanted.sha):
        names = client.list_repo_files(REPOSITORY, repo_type="dataset", revision=wanted.sha)
        files = [
            client.hf_hub_download(REPOSITORY, name, repo_type="dataset", revision=wanted.sha)
            for name in sorted(names)
            if name.endswith(".parquet")
        ]
    if not files:
        raise StateRejected("has no Parquet file and is therefore not a state; leave its day out")
    try:
        return pa.concat_tables([formats.read(Path(file)) for file in files])
    except pa.ArrowInvalid as error:
        raise StateRejected(f"its files have different columns: {error}") from None


def _commits(client: Client, sha: str | None) -> list[Commit]:
    with _explained(sha):
        client.dataset_info(REPOSITORY, revision=sha, timeout=TIMEOUT_S)
        commits = client.list_repo_commits(REPOSITORY, repo_type="dataset", revision=sha)
    if not commits:
        raise HubUnavailable(f"{REPOSITORY} has no commits; import files instead")
    return commits


@contextmanager
def _explained(sha: str | None) -> Iterator[None]:
    """Raises HubUnavailable instead of the client's many errors."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalEntryNotFoundError, RevisionNotFoundError

    try:
        yield
    except RevisionNotFoundError:
        raise HubUnavailable(f"{REPOSITORY} has no revision {sha}; use a commit's full sha from its history") from None
    except HfHubHTTPError as error:
        remedy = "try again later, or import files"
        raise HubUnavailable(f"the hub refuses {REPOSITORY}: {_first_line(error)}; {remedy}") from None
    except (HTTPError, ConnectionError, LocalEntryNotFoundError) as error:
        remedy = "connect this machine, or import files: `evalwatt import-leaderboard PATH…`"
        raise HubUnavailable(f"the hub does not answer ({_first_line(error)}); {remedy}") from None


def _first_line(error: Exception) -> str:
    return redact((str(error).strip().splitlines() or [type(error).__name__])[0])
