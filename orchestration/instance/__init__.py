"""Dagster's instance: opened, named, looked after.

    opening.py        makes and opens it
    names.py          the words its runs carry: tags, keys, pools, owners
    janitor.py        closes runs whose process is gone
    housekeeping.py   deletes what is old
    daemon.py         whether its daemon lives
    failures.py       why a run failed, in a person's words

Does not belong here: what is run (`defs`).
"""
