"""Small states of the leaderboard for tests, in the hub dataset's schema, and the real ones where they are."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluators.leaderboards.open_llm_columns import FIELDS, OPTIONAL, TYPES
from evaluators.records import SCHEMA_VERSION, LeaderboardSnapshot

DAY = date(2025, 1, 9)
DATA = Path(os.environ.get("EVALWATT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")).resolve()
REAL = sorted((DATA / "leaderboard").glob("*.parquet"))
NO_REAL_STATES = f"no leaderboard states in {DATA}; name its folder in EVALWATT_TEST_DATA"

ARRIVING = {name: pa.string() if type_ == pa.date32() else type_ for name, type_ in TYPES.items()}


def row(name: str = "a/model", **changes: Any) -> dict[str, Any]:
    """A row as the hub's dataset has it; changes by the record's field names."""
    values: dict[str, Any] = {
        "eval_name": f"{name.replace('/', '_')}_bfloat16_True",
        "precision": "bfloat16",
        "model_type": "💬 chat models (RLHF, DPO, IFT, ...)",
        "model_type_symbol": "💬",
        "weight_type": "Original",
        "architecture": "LlamaForCausalLM",
        "fullname": name,
        "model_sha": "0" * 40,
        "average": 20.5,
        "hub_license": None,
        "hub_likes": 3,
        "params_b": 8.03,
        "available_on_hub": True,
        "moe": False,
        "flagged": False,
        "chat_template": True,
        "emissions_published_kg": 0.7,
        **{FIELDS[column]: 0.45 for column in FIELDS if column.endswith(" Raw")},
        **{FIELDS[column.removesuffix(" Raw")]: 31.2 for column in FIELDS if column.endswith(" Raw")},
        "merged": False,
        "official_providers": False,
        "upload_to_hub_date": "2024-06-12",
        "submission_date": "2024-06-26",
        "generation": 1,
        "base_model": "a/base",
    }
    assert set(changes) <= {*values, "model_html"}, f"no such field: {set(changes) - set(values)}"
    values |= changes
    return {column: values[field] for column, field in FIELDS.items() if field in values}


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    names = [name for name in FIELDS if name not in OPTIONAL or any(name in row for row in rows)]
    return pa.table({name: pa.array([row[name] for row in rows], ARRIVING[name]) for name in names})


def save(folder: Path, rows: Sequence[dict[str, Any]], day: date = DAY) -> Path:
    """Write a state as Parquet, with its day in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"contents_{day}.parquet"
    pq.write_table(table(rows), path)
    return path


def save_json_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def landed(landing: Path, day: date = DAY) -> list[dict[str, Any]]:
    """The landed rows of a day."""
    (file,) = (landing / f"open-llm-leaderboard@{day}" / "state").glob(f"{LeaderboardSnapshot.table}.*.parquet")
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def as_records(rows: Sequence[dict[str, Any]], source: str, day: date = DAY) -> list[dict[str, Any]]:
    """What has to be landed of rows that are right."""

    def record(given: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {FIELDS[column]: None if value == "" else value for column, value in given.items()}
        for name in ("upload_to_hub_date", "submission_date"):
            values[name] = values[name] and date.fromisoformat(values[name])
        return {"snapshot_date": day, "schema_version": SCHEMA_VERSION, "source": source, "model_html": None, **values}

    return sorted(map(record, rows), key=lambda found: str(found["eval_name"]).encode())
