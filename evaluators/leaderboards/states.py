"""A leaderboard's state into the landing, once; and the rows that cannot be believed into the quarantine.

Belongs here: which state is the same as one that is there, and what becomes of each of its rows. Does not belong here:
what a valid state is (`open_llm`).
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from evaluators import durable
from evaluators.landing import bundles
from evaluators.leaderboards import StateRejected
from evaluators.leaderboards.open_llm import State, examine
from evaluators.records import LeaderboardSnapshot

_IDENTITY = b"state_sha256"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a state: `new` is False where it was landed before; `quarantine` holds its wrong rows."""

    day: date
    source: str
    rows: int
    sha256: str
    new: bool
    quarantined_rows: int
    quarantine: Path | None


def import_state(
    read: Callable[[], pa.Table], day: date, source: str, landing_path: Path, quarantine: Path
) -> Imported:
    """Read, examine and land the state of a day. Raises StateRejected, which begins with the state's source."""
    try:
        state = examine(read(), day, source)
        new = _land(state, landing_path)
    except StateRejected as rejected:
        raise StateRejected(f"{source}: {rejected}") from None
    refused = _set_aside(state, quarantine) if state.refusals else None
    return Imported(day, source, state.rows.num_rows, state.sha256, new, len(state.refusals), refused)


def _land(state: State, root: Path) -> bool:
    """Whether the state is new. Of several importers at once one lands it, and the others find it there."""
    folder = root / bundles.state_directory(state.day)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / bundles.LOCK_FILE):
        for leftover in folder.glob(f"{durable.TEMPORARY}*"):  # of an import that was killed: the lock is ours
            shutil.rmtree(leftover)
        if (folder / bundles.STATE_BUNDLE).exists():
            _compare(state, folder)
            return False
        rows = state.rows.replace_schema_metadata({_IDENTITY: state.sha256})
        bundles.write_tables(root, folder.name, bundles.STATE_BUNDLE, {LeaderboardSnapshot: rows})
        return True


def _compare(state: State, folder: Path) -> None:
    """Raises StateRejected where what is landed is another state, or damaged."""
    try:
        (file,) = (folder / bundles.STATE_BUNDLE).glob("*.parquet")
        bundles.verify(file)
        landed = pq.read_schema(file).metadata[_IDENTITY].decode()
    except (ValueError, OSError, KeyError, TypeError) as error:
        remedy = f"move {folder} away and import again"
        raise StateRejected(f"the landed state of {state.day} is damaged ({error}); {remedy}") from None
    if landed != state.sha256:
        raise StateRejected(
            f"another state of {state.day} is landed: it has sha-256 {landed}, this one {state.sha256}. To keep both, "
            f"give this one its own day with --date; to exchange them, move {folder} away, import again and run "
            "`evalwatt rebuild`"
        )


def _set_aside(state: State, quarantine: Path) -> Path:
    """The quarantined rows' directory, named by what is wrong, so that importing again adds nothing."""
    reasons = sorted(f"{refusal.eval_name}\n{refusal.reason}" for refusal in state.refusals)
    name = sha256("\n".join([state.sha256, *reasons]).encode()).hexdigest()[:12]
    target = quarantine / "leaderboard" / f"{state.day}-{name}"
    if target.exists():
        return target
    facts = {
        "state": state.day.isoformat(),
        "source": state.source,
        "state_sha256": state.sha256,
        "rows": [dataclasses.asdict(refusal) for refusal in state.refusals],
    }
    temporary = target.with_name(f"{durable.TEMPORARY}{secrets.token_hex(8)}")
    temporary.mkdir(parents=True)
    durable.write_durably(temporary / "rows.parquet", bundles.parquet(state.refused))
    durable.write_durably(temporary / "reason.json", json.dumps(facts, indent=2, ensure_ascii=False).encode())
    try:
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary)
        if not target.exists():  # somebody else set the same rows aside first
            raise
    durable.fsync_directory(target.parent)
    return target
