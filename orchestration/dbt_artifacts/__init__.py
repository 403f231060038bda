"""What dbt leaves behind, read: its manifest, its results, and what they say about columns.

    manifest.py          parsed where it is not current
    failed_tests.py      which tests failed, and what to do
    column_lineage.py    which columns a column is made of
    data_dictionary.py   docs/data_dictionary.md

Does not belong here: running dbt (`defs`).
"""
