"""The page's script: ES modules, linked by the browser, and the constants that they share with Python.

Belongs here: embedding them in the page. An import map contains every module's text as a `data:` URL, so nothing is
fetched and nothing here has to parse JavaScript.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from orchestration.report import cells, findings, formats, palette, sections
from orchestration.report.findings import Answers

ENTRY = "page.js"


def import_map() -> dict[str, dict[str, str]]:
    """Every module by its file name."""
    folder = resources.files(__package__) / "static"
    modules = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".js")}
    return {"imports": {name: _url(name, modules[name]) for name in sorted(modules)}}


def _url(name: str, source: str) -> str:
    """A module as a `data:` URL, which cannot contain line breaks, # or %, and has no folder for `./` to refer to."""
    named = source.replace(' from "./', ' from "') + f"//# sourceURL={name}\n"
    encoded = named.replace("%", "%25").replace("#", "%23").replace("\n", "%0A")
    return f"data:text/javascript;charset=utf-8,{encoded}"


def constants(answers: Answers) -> dict[str, Any]:
    """What `static/constants.js` exports."""
    return {
        "BASES": findings.BASES,
        "BASIS_COLOURS": palette.BASES,
        "CHOSEN_COLOURS": palette.SCENARIOS,
        "COLOURS": palette.COLOURS,
        "CONTROL_MARKS": palette.CONTROL_MARKS,
        "CONTROL_WORDS": findings.CONTROL,
        "DIGITS": formats.DIGITS,
        "ENERGY": formats.ENERGY,
        "FAMILY_CHARTS": sections.family_charts(answers),
        "FEWEST_IN_A_BOX": sections.FEWEST_IN_A_BOX,
        "GROUPS": palette.GROUPS,
        "INK": palette.INK,
        "KNOWN_TASKS": findings.KNOWN_TASKS,
        "LEADERBOARD_GRID": sections.LEADERBOARD_GRID,
        "MASS": formats.MASS,
        "MEASURED": findings.MEASURED,
        "NAMEPLATE": sections.NAMEPLATE,
        "NOT_KNOWN": formats.NOT_KNOWN,
        "NO_INTERVALS": sections.NO_INTERVALS,
        "OTHER": palette.OTHER,
        "PAPER": palette.PAPER,
        "PER_RUN": findings.PER_RUN,
        "PHASES": palette.PHASES,
        "PUBLISHED": findings.PUBLISHED,
        "SHORT": cells.SHORT,
        "SMALL": findings.small(answers),
        "SUITE": findings.SUITE,
        "WIDE": cells.WIDE,
    }
