"""lm-eval, adapted: loads its tasks, asks them one by one and scores them. Its string keys do not leave this room.

    lm_eval_tasks.py   a suite's tasks, as lm-eval loads them and as the suite configures them
    order.py           the order in which documents are asked where a part may do
    asking.py          asking one task, all of it or chunk by chunk
    outcomes.py        its scores and samples
    metered.py         an engine as lm-eval's model, metered by phase
    interruption.py    where a run may be stopped, and where not
    complaints.py      errors and warnings about documents, in a sentence
    punkt.py           the tokenizer data that IFEval would download

Does not belong here: how a request is answered (`engines`), or what of it is landed (`process`).
"""
