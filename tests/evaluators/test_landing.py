"""The landing's promises: all of a bundle or nothing, once, and damage is noticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluators import durable
from evaluators.landing import bundles
from evaluators.landing.runs import read_json
from evaluators.process import rows
from evaluators.records import RECORDS, TaskEmission
from tests.support.readings import READING

RUN = bundles.new_run_id()


def emission(task: str = "a_task", run_id: str = RUN) -> TaskEmission:
    return rows.emission(run_id, task, "scoring", READING)


def test_run_ids_sort_by_time_and_tell_it() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    ids = [bundles.new_run_id(noon + timedelta(milliseconds=i)) for i in range(50)]
    assert ids == sorted(ids)
    assert bundles.run_time(ids[7]) == noon + timedelta(milliseconds=7)
    with pytest.raises(ValueError, match="not a run id"):
        bundles.run_time("../../etc")


def test_every_record_has_a_parquet_schema_whose_keys_are_not_null() -> None:
    for record in RECORDS:
        schema = bundles.arrow_schema(record)
        assert not any(schema.field(name).nullable for name in record.key)


def test_landing_the_same_bundle_twice_changes_nothing(tmp_path: Path) -> None:
    path = bundles.write_bundle(tmp_path, RUN, "setup", [emission()])
    before = sorted(p.name for p in path.iterdir())
    bundles.write_bundle(tmp_path, RUN, "setup", [emission("another")])
    assert sorted(p.name for p in path.iterdir()) == before
    assert len(list(bundles.bundles(tmp_path))) == 1
    assert not list(tmp_path.rglob(f"{durable.TEMPORARY}*"))


def test_a_bundle_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no rows"):
        bundles.write_bundle(tmp_path, RUN, "setup", [])


@pytest.mark.parametrize("position", [0, 0.3, 0.6, 0.999])
def test_one_flipped_bit_anywhere_is_noticed(tmp_path: Path, position: float) -> None:
    (path,) = bundles.write_bundle(tmp_path, RUN, "setup", [emission()]).iterdir()
    bundles.verify(path)
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        bundles.verify(path)


def test_the_newest_evaluation_counts(tmp_path: Path) -> None:
    name = bundles.task_bundle("fingerprint", 1)
    assert name != bundles.task_bundle("fingerprint", 2)
    older, newer = bundles.new_run_id(datetime(2026, 1, 1, tzinfo=UTC)), bundles.new_run_id()
    for run_id in (newer, older):
        bundles.write_bundle(tmp_path, run_id, name, [emission(run_id=run_id)])
    assert bundles.task_evaluations(tmp_path) == {name: newer}


def test_a_damaged_side_file_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text("{")
    assert read_json(tmp_path / "tasks.json") is None
    (tmp_path / "tasks.json").write_text(json.dumps({"a": 1}))
    assert read_json(tmp_path / "tasks.json") == {"a": 1}
