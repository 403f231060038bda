"""The report: published mart rows in, charts and one HTML page out. Knows neither Dagster nor dbt.

queries.py   the queries, run and shown as they stand
findings.py  the night in one sentence, the study's questions with their answers
tables.py    rows into tables (cells.py)    charts.py   Vega specifications (palette.py: their colours)
sections.py  what the page has              page.py     one file of it all

The page's script is the ES modules of static/: page.js starts the parts, which have a module each (frontier.js,
finetunes.js, comparisons.js, verbosity.js, nights.js, scenarios.js); the others draw, format and choose for them.
script.py    how the page carries the modules, and the constants that they take from Python (constants.js)
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.report import page, queries


def write(marts: Path, folder: Path) -> Path:
    """Write the report on a published file into the folder, and return where it is.

    What the page is made of is read from one version: a publication in between changes nothing.
    """
    with duckdb.connect(marts, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        answers = queries.ask(connection)
    return page.write(page.render(answers), folder)
