"""A dataset with a history, in place of the hub's client."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evaluators.leaderboards import hub
from tests.support import states


@dataclass
class Commit:
    commit_id: str
    created_at: datetime


@dataclass
class History:
    """A dataset's commits and the files at each of them."""

    folder: Path
    commits: list[Commit] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def commit(self, sha: str, at: datetime, rows: list[dict[str, Any]], *, files: int = 1) -> None:
        self.commits.insert(0, Commit(sha, at))
        (self.folder / sha / "data").mkdir(parents=True)
        for number in range(files):
            part = rows[number::files]
            pq.write_table(states.table(part), self.folder / sha / "data" / f"train-{number}.parquet")
        (self.folder / sha / "README.md").write_text("a card")

    def dataset_info(self, repo_id: str, *, revision: str | None, timeout: float) -> Any:
        assert repo_id == hub.REPOSITORY
        assert timeout > 0

    def list_repo_commits(self, repo_id: str, *, repo_type: str, revision: str | None) -> list[Any]:
        assert (repo_id, repo_type) == (hub.REPOSITORY, "dataset")
        start = next(i for i, c in enumerate(self.commits) if revision in (None, c.commit_id))
        return self.commits[start:]

    def list_repo_files(self, repo_id: str, *, repo_type: str, revision: str) -> list[str]:
        root = self.folder / revision
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]

    def hf_hub_download(self, repo_id: str, filename: str, *, repo_type: str, revision: str) -> str:
        self.asked.append(f"{revision}/{filename}")
        return str(self.folder / revision / filename)
