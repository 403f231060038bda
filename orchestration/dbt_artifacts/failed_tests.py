"""The data tests that failed in dbt's last build, and where the rows that failed them are kept.

dbt stores them in schema `failures` of the build file (`store_failures`), until the next build.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RUN_RESULTS = "run_results.json"


@dataclass(frozen=True, slots=True)
class FailedTest:
    """A failed test of severity error. `table` is None if no rows are kept, as for unit tests."""

    name: str
    rows: int | None
    table: str | None


def failed_tests(target: Path) -> list[FailedTest]:
    """The failed tests in dbt's folder `target`; none if dbt ended before it wrote results."""
    try:
        results = json.loads((target / RUN_RESULTS).read_bytes())["results"]
    except FileNotFoundError:
        return []
    return [
        FailedTest(
            name=result["unique_id"].split(".")[2],
            rows=result["failures"],
            table=".".join(result["relation_name"].replace('"', "").split(".")[1:])
            if result["relation_name"]
            else None,
        )
        for result in results
        if result["status"] == "fail"
    ]


def message(failed: Sequence[FailedTest], warehouse: Path) -> str:
    """The message for the person who has to fix it."""
    kept = [
        f"{test.name}: {test.rows} rows, kept in {test.table}" if test.table else f"{test.name}: dbt's log says why"
        for test in failed
    ]
    lines = [f"{len(failed)} data test(s) failed, so nothing was published and the last version stays:", *kept]
    lines.append(f"Look at the rows in {warehouse}, fix their cause, then run `evalwatt build`.")
    return "\n".join(lines)


def remedy(test: FailedTest, warehouse: Path) -> str:
    """The same for one test, as Markdown."""
    if test.table is None:
        return "The run's log (stdout) says which rows differ. Fix the model or the test, then run `evalwatt build`."
    return (
        f"{test.rows} rows failed. They are kept in {warehouse} until the next build:\n\n"
        f"```sql\nselect * from {test.table}\n```\n\nFix their cause, then run `evalwatt build`."
    )
