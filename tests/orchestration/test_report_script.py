"""The page's script agrees with the Python that it comes from, and with the marts."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import yaml

from orchestration.report import findings, palette, script

HISTORY = Path(__file__).parents[2] / "dbt_project" / "models" / "marts" / "mart_emissions_history.yml"


def test_the_script_takes_every_module_and_every_constant_that_it_is_given() -> None:
    modules = {name: unquote(url) for name, url in script.import_map()["imports"].items()}
    taken = {name for source in modules.values() for name in re.findall(r' from "(\S+)";$', source, re.MULTILINE)}
    assert taken | {script.ENTRY} == set(modules)
    (names,) = re.findall(r"^export const {(.*)} = JSON", modules["constants.js"], re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\w+", names)) == set(script.constants())


def test_every_flag_of_the_control_is_said_in_words_and_drawn() -> None:
    (model,) = yaml.safe_load(HISTORY.read_text(encoding="utf-8"))["models"]
    (flag,) = [column for column in model["columns"] if column["name"] == "control_flag"]
    (values,) = [
        test["accepted_values"]["arguments"]["values"] for test in flag["data_tests"] if "accepted_values" in test
    ]
    assert set(findings.CONTROL) == set(values)
    assert set(palette.CONTROL_MARKS) == set(values) - {"no_control"}
