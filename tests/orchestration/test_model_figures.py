"""What is noted of each model when the marts are published."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.defs.publication import observations
from orchestration.model_figures import SuiteFigures, model_figures

ROWS = """
create table mart_model_efficiency as
select * from (values
    ('m', 'mini', 40.0, 1e-3, 2.0, 'old machine', 'z', 'measured', true, date '2030-01-01'),
    ('m', 'mini', 50.0, 0.000123456789, null, 'new machine', 'a', 'measured', true, date '2030-01-02'),
    ('m', 'mini', 60.0, 3e-3, 3.0, 'new machine', 'a', 'measured', false, date '2030-01-03'),
    ('m', 'other', null, null, null, 'new machine', 'b', 'measured', true, date '2030-01-02'),
    ('table', 'leaderboard', 70.0, 4e-3, null, 'hub', 'c', 'leaderboard_published', true, date '2030-01-02'),
    ('retired', 'mini', 80.0, 5e-3, 1.0, 'old machine', 'z', 'measured', true, date '2030-01-01')
) as rows (
    model_id, suite, score, energy_kwh, joules_per_correct, comparability_key, comparability_hash, basis, is_current,
    as_of
)
"""


def test_the_newest_setting_of_a_current_model_counts(tmp_path: Path) -> None:
    file = tmp_path / "marts.duckdb"
    with duckdb.connect(file) as connection:
        connection.execute(ROWS)
    assert list(model_figures(file)) == [
        SuiteFigures("m", "mini", 50.0, 0.000123456789, None, "new machine"),
        SuiteFigures("m", "other", None, None, None, "new machine"),
        SuiteFigures("retired", "mini", 80.0, 5e-3, 1.0, "old machine"),
    ]


def test_what_is_not_known_is_left_out_and_so_is_what_is_no_partition() -> None:
    figures = [
        SuiteFigures("m", "mini", 50.0, 0.000123456789, None, "here"),
        SuiteFigures("m", "other", None, None, None, "here"),
        SuiteFigures("retired", "mini", 80.0, 5e-3, 1.0, "here"),
    ]
    (observation,) = observations(figures, {"m"})
    assert observation.partition == "m"
    assert {name: entry.value for name, entry in observation.metadata.items()} == {
        "score mini m": 50.0,
        "energy_kwh mini m": 0.000123457,
        "comparability_key mini m": "here",
        "comparability_key other m": "here",
    }
