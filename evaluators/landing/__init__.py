"""The landing on disk, the source of all results: immutable, append-only, one directory per run.

    bundles.py      Parquet that appears whole or not at all
    runs.py         the plan and the outcome of runs, read once
    parts.py        parts of task evaluations: which documents were asked, by which runs
    stops.py        why no more was asked, and whether that is enough
    lifecycle.py    how a run begins and ends, and closing runs whose process died
    decisions.py    people's decisions: exclusions and calibrations
    withdrawn.py    evaluations that a later version withdraws

Does not belong here: what the rows mean (`records`), or where they come from (`process`).
"""
