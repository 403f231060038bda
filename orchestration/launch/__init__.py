"""Where an evaluator's process runs, and what its end means.

    suites.py     a model's due suites, one process after the other, within its budget
    process.py    one process, started here through Pipes

Does not belong here: what is due (`evaluators.plan`), or what Dagster shows of it (`defs`, `ui`).
"""
