"""A gate: whether a model may take the place of another, by what is published.

    asked.py       what is asked: the two models, the suite, its tasks, the margins
    landed.py      the evaluations that answer it, and the gate in the landing
    verdicts.py    the figures in the published mart, and what they show
    words.py       the answer for people, for programs and for a pull request

Does not belong here: evaluating, building and publishing (`foreground`), or the statistics
(`evaluators.statistics.gates`).
"""


class GateRefused(Exception):
    """The gate cannot be asked like that; the message says how."""


class GateUndecided(Exception):
    """The gate could not be evaluated; the message says why, and what to do."""
