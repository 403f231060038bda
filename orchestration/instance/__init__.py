"""Dagster's instance: opening, naming and maintaining it.

    opening.py        creates and opens it
    names.py          names on its runs: tags, keys, pools, owners
    janitor.py        closes runs whose process is gone
    housekeeping.py   deletes old runs
    daemon.py         whether its daemon is running
    failures.py       why a run failed, in words for people

Does not belong here: what runs on it (`defs`).
"""
