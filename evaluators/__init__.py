"""Evaluators: models, tasks and energy.

Pure library code: nothing in here imports dagster, dbt or duckdb, and nothing knows who calls it.
"""
