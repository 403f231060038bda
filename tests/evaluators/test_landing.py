"""The landing's promises: all of a bundle or nothing, once, and damage is noticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_energy import READING

from evaluators import landing, lifecycle, rows
from evaluators.records import RECORDS, TaskEmission

RUN = landing.new_run_id()


def emission(task: str = "a_task", run_id: str = RUN) -> TaskEmission:
    return rows.emission(run_id, task, "scoring", READING)


def test_run_ids_sort_by_time_and_tell_it() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    ids = [landing.new_run_id(noon + timedelta(milliseconds=i)) for i in range(50)]
    assert ids == sorted(ids)
    assert landing.run_time(ids[7]) == noon + timedelta(milliseconds=7)
    with pytest.raises(ValueError, match="not a run id"):
        landing.run_time("../../etc")


def test_every_record_has_a_parquet_schema_whose_keys_are_not_null() -> None:
    for record in RECORDS:
        schema = landing.arrow_schema(record)
        assert not any(schema.field(name).nullable for name in record.key)


def test_landing_the_same_bundle_twice_changes_nothing(tmp_path: Path) -> None:
    path = landing.write_bundle(tmp_path, RUN, "setup", [emission()])
    before = sorted(p.name for p in path.iterdir())
    landing.write_bundle(tmp_path, RUN, "setup", [emission("another")])
    assert sorted(p.name for p in path.iterdir()) == before
    assert len(list(landing.bundles(tmp_path))) == 1
    assert not list(tmp_path.rglob(f"{landing.TEMPORARY}*"))


def test_a_bundle_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no rows"):
        landing.write_bundle(tmp_path, RUN, "setup", [])


@pytest.mark.parametrize("position", [0, 0.3, 0.6, 0.999])
def test_one_flipped_bit_anywhere_is_noticed(tmp_path: Path, position: float) -> None:
    (path,) = landing.write_bundle(tmp_path, RUN, "setup", [emission()]).iterdir()
    landing.verify(path)
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        landing.verify(path)


def test_the_newest_evaluation_counts(tmp_path: Path) -> None:
    name = landing.task_bundle("fingerprint", 1)
    assert name != landing.task_bundle("fingerprint", 2)
    older, newer = landing.new_run_id(datetime(2026, 1, 1, tzinfo=UTC)), landing.new_run_id()
    for run_id in (newer, older):
        landing.write_bundle(tmp_path, run_id, name, [emission(run_id=run_id)])
    assert landing.task_evaluations(tmp_path) == {name: newer}


def test_a_damaged_side_file_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text("{")
    assert lifecycle.read_json(tmp_path / "tasks.json") is None
    (tmp_path / "tasks.json").write_text(json.dumps({"a": 1}))
    assert lifecycle.read_json(tmp_path / "tasks.json") == {"a": 1}
