"""Reads what dbt writes: its manifest, its results, and what they say about columns.

    manifest.py          parses the project if the manifest is not current
    failed_tests.py      which tests failed, and what to do
    column_lineage.py    which columns a column is computed from
    data_dictionary.py   docs/data_dictionary.md

Does not belong here: running dbt (`defs`).
"""
