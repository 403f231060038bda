"""Reads and validates `catalogue.yml`: what is evaluated, on what, how.

    entries.py      the entries, their lineage and their suites
    fields.py       types of fields that more than one entry has
    until.py        what a suite's `until` compares with, and what cannot be meant
    margins.py      how large a difference has to be to matter
    lined_yaml.py   YAML with line numbers

Does not belong here: what an entry leads to on disk (`models`), or whether it is due (`plan`).
"""
