"""One evaluator process: one model, one suite, one machine.

    run.py           the order of things, and what is written when
    rows.py          what is landed of a task
    provenance.py    what is landed of a run and its model
    night_budget.py  how much a night may spend on a model
    forecast.py      how long it will take
    progress.py      the bar
    activity.py      what is being evaluated now, for whoever asks
    waiting.py       how torch's threads wait for each other
    guard.py         the process and its children end together

Does not belong here: what is due (`plan`), or who starts the process (orchestration).
"""
