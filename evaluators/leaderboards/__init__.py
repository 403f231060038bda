"""Evaluations that others ran: published tables into records.

Belongs here: reading, examining and landing what a leaderboard published. Does not belong here: what it means (dbt).
"""


class StateRejected(Exception):
    """A state cannot be taken; the message names every reason found and what to do."""
