"""The report: published mart rows in, charts and one HTML page out. Knows neither Dagster nor dbt.

queries.py   the queries, run and shown unchanged
findings.py  the night in one sentence, the study's questions with their answers
tables.py    rows as tables (cells.py)      charts.py   Vega specifications (palette.py: their colours)
asked.py     what was not asked at once     sections.py the page's sections
page.py      everything in one file

The page's script consists of the ES modules in static/: page.js starts the parts, one module each (frontier.js,
finetunes.js, asked.js, comparisons.js, verbosity.js, nights.js, scenarios.js); the others help them draw, format and
filter.
script.py    embeds the modules in the page, and the constants that they share with Python (constants.js)
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.report import page, queries


def write(marts: Path, folder: Path) -> Path:
    """Write the report on a published file into the folder, and return where it is.

    All queries read the same version: a publication in between changes nothing.
    """
    with duckdb.connect(marts, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        answers = queries.ask(connection)
    return page.write(page.render(answers), folder)
