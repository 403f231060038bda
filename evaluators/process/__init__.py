"""One evaluator process: one model, one suite, one machine.

    run.py           the order of things, and what is written when
    tally.py         what a run has come to so far: its summary and its last record
    rows.py          what is landed of a task
    provenance.py    what is landed of a run and its model
    repetitions.py   whether a task is evaluated once more for the sake of its energy
    night_budget.py  how much a night may spend on a model
    expectation.py   how long tasks will take, before the first is asked
    forecast.py      how long they will take, as they are answered
    progress.py      the bar
    activity.py      what is being evaluated now, for whoever asks
    waiting.py       how torch's threads wait for each other
    guard.py         the process and its children end together

Does not belong here: what is due (`plan`), or who starts the process (orchestration).
"""
