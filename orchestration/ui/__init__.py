"""What Dagster's UI shows with the definitions: keys, tags, tables and plots as metadata.

    translator.py       dbt's nodes as assets
    table_metadata.py   a table's columns, sources and rows
    evidence_tags.py    tags that say what an asset rests on
    summaries.py        a run's scores and energies as tables and charts
    model_figures.py    a model's figures from the marts
    state_events.py     imported states as events

Does not belong here: definitions (`defs`) and the report's page (`report`).
"""
