"""What is noted of each model when the marts are published."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.defs.publication import observations
from orchestration.ui.model_figures import SuiteFigures, model_figures

ROWS = """
create table mart_model_efficiency as
select * from (values
    ('m', 'mini', 40.0, 1e-3, 2.0, 'machine of one', 'measured', true, 4),
    ('m', 'mini', 50.0, 0.000123456789, null, 'machine of many', 'measured', true, 1),
    ('m', 'mini', 60.0, 3e-3, 3.0, 'machine of many', 'measured', false, 1),
    ('m', 'other', null, null, null, 'machine of many', 'measured', true, 3),
    ('table', 'leaderboard', 70.0, 4e-3, null, 'hub', 'leaderboard_published', true, null),
    ('retired', 'mini', 80.0, 5e-3, 1.0, 'machine of one', 'measured', true, 4)
) as rows (model_id, suite, score, energy_kwh, joules_per_correct, comparability_key, basis, is_current, headline_rank)
"""


def test_the_setting_that_the_report_prefers_counts(tmp_path: Path) -> None:
    file = tmp_path / "marts.duckdb"
    with duckdb.connect(file) as connection:
        connection.execute(ROWS)
    assert list(model_figures(file)) == [
        SuiteFigures("m", "mini", 50.0, 0.000123456789, None, "machine of many"),
        SuiteFigures("m", "other", None, None, None, "machine of many"),
        SuiteFigures("retired", "mini", 80.0, 5e-3, 1.0, "machine of one"),
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
