"""The words that Dagster's runs carry as tags: which night a run belongs to, who refreshes, why it was canceled."""

from __future__ import annotations

NIGHT_TAG = "evalwatt/night"  # its scheduled beginning; that of `evalwatt run` is the moment it was typed
NIGHT_SIZE_TAG = "evalwatt/night_size"
DEADLINE_TAG = "evalwatt/deadline"
FOREGROUND_TAG = "evalwatt/foreground"  # its run makes its own refresh
REFRESH_OF_TAG = "evalwatt/refresh_of"
WAITED_TAG = "evalwatt/waited"  # of a refresh: what it did while another one ran
CANCEL_TAG = "evalwatt/cancel"  # a person asked for it: RUN or NIGHT
CANCELED_TAG = "evalwatt/canceled"  # why a run left the queue: DEADLINE or PERSON

RUN, NIGHT = "run", "night"
DEADLINE, PERSON = "deadline", "person"

PARTITION_TAG = "dagster/partition"
