"""Evaluators: models, tasks and energy.

Library code only: nothing here imports dagster, dbt or duckdb, or depends on its caller.
"""
