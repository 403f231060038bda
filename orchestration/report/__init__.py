"""The report: published mart rows in, charts and one HTML page out. Knows neither Dagster nor dbt.

queries.py   the queries, run and shown as they stand
findings.py  the night in one sentence, the study's questions with their answers
tables.py    rows into tables (cells.py)    charts.py   Vega specifications
sections.py  what the page has         page.py     one file of it all
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
