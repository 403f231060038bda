"""The truth on disk: immutable, append-only, one directory per run.

    bundles.py      Parquet that appears whole or not at all
    runs.py         what runs set out to do and what became of them, read once
    lifecycle.py    how a run begins and ends, and what is said of one that died
    decisions.py    what a person decided: exclusions and calibrations
    withdrawn.py    evaluations that a later version takes back

Does not belong here: what the rows mean (`records`), or who makes them (`process`).
"""
