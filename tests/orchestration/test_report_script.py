"""The page's script agrees with the Python that it comes from."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from orchestration.report import findings, palette, script
from orchestration.report.queries import Answer


def test_the_script_takes_every_module_and_every_constant_that_it_is_given() -> None:
    modules = {name: unquote(url) for name, url in script.import_map()["imports"].items()}
    taken = {name for source in modules.values() for name in re.findall(r' from "(\S+)";$', source, re.MULTILINE)}
    assert taken | {script.ENTRY} == set(modules)
    (names,) = re.findall(r"^export const {(.*)} = JSON", modules["constants.js"], re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\w+", names)) == set(script.constants({"claims": Answer("", (), ())}))


def test_every_verdict_has_a_mark_and_a_colour() -> None:
    style = (Path(script.__file__).parent / "static" / "report.css").read_text(encoding="utf-8")
    assert set(re.findall(r'data-verdict="(\w+)"', style)) == set(palette.VERDICT_MARKS)
    assert {*findings.HOLDS, findings.UNDETERMINED} <= set(palette.VERDICT_MARKS)
