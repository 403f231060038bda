"""Lands a leaderboard's state once, and puts invalid rows into quarantine.

Belongs here: whether a state is already landed, and where each of its rows goes. Does not belong here: what a valid
state is (`open_llm`).
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
    """The result of an import: `new` is False where the state was landed before; `quarantine` has its invalid rows."""

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
    """Read, check and land the state of a day. Raises StateRejected; its message begins with the state's source."""
    try:
        state = examine(read(), day, source)
        new = _land(state, landing_path)
    except StateRejected as rejected:
        raise StateRejected(f"{source}: {rejected}") from None
    refused = _set_aside(state, quarantine) if state.refusals else None
    return Imported(day, source, state.rows.num_rows, state.sha256, new, len(state.refusals), refused)


def _land(state: State, root: Path) -> bool:
    """Whether the state is new. Of several imports at once, one lands it and the others find it landed."""
    folder = root / bundles.state_directory(state.day)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / bundles.LOCK_FILE):
        for leftover in folder.glob(f"{durable.TEMPORARY}*"):  # of a killed import, because we hold the lock
            shutil.rmtree(leftover)
        if (folder / bundles.STATE_BUNDLE).exists():
            _compare(state, folder)
            return False
        rows = state.rows.replace_schema_metadata({_IDENTITY: state.sha256})
        bundles.write_tables(root, folder.name, bundles.STATE_BUNDLE, {LeaderboardSnapshot: rows})
        return True


def _compare(state: State, folder: Path) -> None:
    """Raises StateRejected where the landed state is a different one, or damaged."""
    try:
        (file,) = (folder / bundles.STATE_BUNDLE).glob("*.parquet")
        bundles.verify(file)
        landed = pq.read_schema(file).metadata[_IDENTITY].decode()
    except (ValueError, OSError, KeyError, TypeError) as error:
        remedy = f"move {folder} away and import again"
        raise StateRejected(f"the landed state of {state.day} is damaged ({error}); {remedy}") from None
    if landed != state.sha256:
        raise StateRejected(
            f"a different state of {state.day} is landed: it has sha-256 {landed}, this one {state.sha256}. To keep "
            f"both, give this one its own day with --date; to replace it, move {folder} away, import again and run "
            "`evalwatt rebuild`"
        )


def _set_aside(state: State, quarantine: Path) -> Path:
    """The directory of the quarantined rows, named by a hash over their reasons, so that importing again adds nothing:
    rewording a reason would add the same rows once more."""
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
        if not target.exists():  # another process set the same rows aside first
            raise
    durable.fsync_directory(target.parent)
    return target
