"""Evaluations by others: published tables as records.

Belongs here: reading, checking and landing what a leaderboard published. Does not belong here: what it means (dbt).
"""


class StateRejected(Exception):
    """A state cannot be imported; the message names every reason found and what to do."""
