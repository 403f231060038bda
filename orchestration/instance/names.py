"""The instance's words: tags of runs (which night one belongs to, who refreshes, why it was canceled), partitions,
keys, pools and owners. Imports no Dagster."""

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

MODELS = "models"  # the partitions: one per model of the catalogue
EVALUATIONS = "model_evaluations"  # the asset that has them

DEVICE_POOL = "device"
WAREHOUSE_POOL = "warehouse"
OWNERS = ["team:evaluation"]
