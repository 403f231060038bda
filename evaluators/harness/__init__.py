"""lm-eval, adapted: its tasks loaded, asked one by one and scored. Its string keys end here.

    lm_eval_tasks.py   a suite's tasks, as lm-eval loads them and as the suite asks them
    outcomes.py        one of them asked, and its scores and samples
    metered.py         an engine as lm-eval's model, metered by phase
    interruption.py    where a run may be stopped, and where not
    complaints.py      what lm-eval and its documents say is wrong, in a sentence
    punkt.py           the tokenizer data that IFEval would fetch

Does not belong here: how a request is answered (`engines`), or what is landed of it (`process`).
"""
