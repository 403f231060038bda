"""Starts evaluator processes, and interprets how they end.

    suites.py     runs a model's due suites one after the other, within its night budget
    process.py    starts one process through Dagster Pipes

Does not belong here: what is due (`evaluators.plan`), or what Dagster shows of it (`defs`, `ui`).
"""
