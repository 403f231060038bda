"""From the landing to what is published: the build file, its tables, the switch to a new version.

    load.py           the landing into raw tables
    raw_schema.py     their columns
    built_tables.py   what dbt built
    published.py      the published file, and the one way to open it
    publication.py    the steps from the build file to a new version
    marts_files.py    what a version holds
    versions.py       the folders of versions, and the switch

Does not belong here: what the tables mean (`dbt_project`).
"""
