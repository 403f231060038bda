"""One evaluator process: one model, one suite, one machine.

    run.py           the order of phases, and what is written when
    asked.py         the questions that are asked in chunks, with what is landed of them
    compared.py      a task's answers beside those of the reference
    questions.py     what a look at a question's answers shows
    until.py         asks them look by look, and lands parts and stops
    tally.py         a run's totals so far: its summary and its last record
    rows.py          the landed rows of a task
    provenance.py    the landed rows of a run and its model
    repetitions.py   whether a task is evaluated again for a better energy
    night_budget.py  how much of a night a model may take
    expectation.py   how long tasks will take, before the first one starts
    forecast.py      how long they will take, while they run
    progress.py      the progress bar
    activity.py      what is being evaluated now, for other processes to read
    waiting.py       how torch's threads wait for each other
    guard.py         ends the process together with its children

Does not belong here: what is due (`plan`), or starting the process (`orchestration`).
"""
