"""From the landing to a published version: the build file, its tables, and the switch.

    load.py           loads the landing into raw tables
    raw_schema.py     their columns
    built_tables.py   the tables that dbt built
    published.py      the published file, and the only way to open it
    publication.py    the steps from the build file to a new version
    marts_files.py    the files of a version
    versions.py       the folders of versions, and the switch

Does not belong here: what the tables mean (`dbt_project`).
"""
