"""How old the marts and their publication may be: every night renews them."""

from datetime import timedelta

import dagster as dg

from evaluators.catalogue.entries import Settings

_A_DAY = timedelta(days=1)


def every_night(settings: Settings) -> dg.FreshnessPolicy:
    """A warning if a night's refresh is missing after its deadline, a failure if the next one is missing too."""
    return dg.FreshnessPolicy.time_window(
        fail_window=2 * _A_DAY + settings.deadline, warn_window=_A_DAY + settings.deadline
    )
