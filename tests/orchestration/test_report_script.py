"""The page's script agrees with the Python that it comes from, and with the marts."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import yaml

from orchestration.report import findings, palette, script
from orchestration.report.queries import Answer

MARTS = Path(__file__).parents[2] / "dbt_project" / "models" / "marts"


def values_of(mart: str, column: str) -> set[str]:
    """What the mart's tests accept in the column."""
    (model,) = yaml.safe_load((MARTS / f"{mart}.yml").read_text(encoding="utf-8"))["models"]
    (found,) = [each for each in model["columns"] if each["name"] == column]
    (values,) = [
        test["accepted_values"]["arguments"]["values"] for test in found["data_tests"] if "accepted_values" in test
    ]
    return set(values)


def test_the_script_takes_every_module_and_every_constant_that_it_is_given() -> None:
    modules = {name: unquote(url) for name, url in script.import_map()["imports"].items()}
    taken = {name for source in modules.values() for name in re.findall(r' from "(\S+)";$', source, re.MULTILINE)}
    assert taken | {script.ENTRY} == set(modules)
    (names,) = re.findall(r"^export const {(.*)} = JSON", modules["constants.js"], re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\w+", names)) == set(script.constants({"claims": Answer("", (), ())}))


def test_every_phase_and_every_flag_of_the_control_can_be_drawn() -> None:
    assert {*palette.CONTROL_MARKS, *findings.CONTROL} == values_of("mart_emissions_history", "control_flag")
    assert set(palette.PHASES) == set(findings.PHASES)


def test_every_verdict_has_a_mark_and_a_colour() -> None:
    codes = values_of("mart_study_claims", "verdict_code")
    style = (Path(script.__file__).parent / "static" / "report.css").read_text(encoding="utf-8")
    assert set(palette.VERDICT_MARKS) == set(re.findall(r'data-verdict="(\w+)"', style)) == codes
    assert {*findings.HOLDS, findings.TOLD_NOT} <= codes
