"""The data dictionary is what dbt's YAML says, and its units are what the columns' names say."""

from __future__ import annotations

import difflib

import pytest

from orchestration.dbt_artifacts.data_dictionary import DOCUMENT, REGENERATE, document, unit


def test_the_document_is_fresh() -> None:
    kept, made = DOCUMENT.read_text(encoding="utf-8").splitlines(), document().splitlines()
    difference = difflib.unified_diff(kept, made, DOCUMENT.name, "dbt's YAML", lineterm="", n=0)
    assert kept == made, "\n".join(["", *difference, f"`{REGENERATE}` writes it anew"])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("energy_kwh_low", "kWh"),
        ("emissions_kg_p95", "kg CO2e"),
        ("grid_intensity_g_per_kwh", "g CO2e per kWh"),
        ("joules_per_correct", "J per correct answer"),
        ("joules_per_correct_ratio_low", "ratio"),
        ("joules_per_correct_rank", ""),
        ("joules_per_token_computed", "J per token"),
        ("joules_saved", "J"),
        ("energy_kwh_estimate_low", "kWh"),
        ("emissions_ratio_mean", "ratio"),
        ("marginal_score_per_kg", "points per kg CO2e"),
        ("idle_share", "share, 0 to 1"),
        ("duration_s", "s"),
        ("tokens_prompt", ""),
        ("active_params_b", "billion"),
    ],
)
def test_units_stand_in_names(column: str, expected: str) -> None:
    assert unit(column) == expected
