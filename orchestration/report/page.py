"""The page: one file that contains its data, charts, styles and scripts, so that it works offline.

Belongs here: assembling the page and writing it in one step. Everything from the rows is escaped: as HTML by Jinja, as
JSON in a script by `_json`. script.py assembles the script.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from orchestration.report import charts, findings, palette, script, sections
from orchestration.report.findings import Answers


def render(answers: Answers) -> str:
    """The whole page for these answers."""
    sentence, figures = findings.tonight(answers)
    made = sections.sections(answers)
    used = {name for section in made for name in section.queries}
    states, study_day = findings.states(answers), findings.study_day(answers)
    (publication,) = list(answers["publication"]) or [
        {"build_id": "", "published_at": None, "git_sha": None, "leaderboard_states": 0}
    ]
    return (
        _environment()
        .get_template("page.html")
        .render(
            publication=publication,
            sentence=sentence,
            figures=figures,
            states=states,
            first_state=study_day if study_day in states else max(states, default=None),
            study_day=study_day,
            bases=findings.BASES,
            questions=findings.questions(answers),
            sections=made,
            queries={name: answer.sql for name, answer in answers.items()},
            style=Markup(_style()),
            runtime=Markup(charts.runtime()),
            modules=_json(script.import_map()),
            entry=script.ENTRY,
            constants=_json(script.constants(answers)),
            specifications=_json(charts.specifications()),
            data=_json({name: answer.encoded() for name, answer in answers.items() if name in used}),
        )
    )


def write(page: str, folder: Path) -> Path:
    """Write the page into the folder in one step: readers see either the old or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "index.html"
    temporary = folder / f".tmp-{secrets.token_hex(4)}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    environment.globals["verdict_marks"] = palette.VERDICT_MARKS
    return environment


def _code(text: str) -> Markup:
    """Text with `commands` as <code>."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _json(value: Any) -> Markup:
    """JSON that cannot end the script element that contains it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _style() -> str:
    return (resources.files(__package__) / "static" / "report.css").read_text(encoding="utf-8")
