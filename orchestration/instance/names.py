"""Names on the instance: tags of runs (their night, their refresh, why they were canceled), partitions, keys, pools and
owners. Does not import Dagster."""

from __future__ import annotations

NIGHT_TAG = "evalwatt/night"  # its scheduled start; for `evalwatt run`, when it was typed
NIGHT_SIZE_TAG = "evalwatt/night_size"
DEADLINE_TAG = "evalwatt/deadline"
FOREGROUND_TAG = "evalwatt/foreground"  # refreshes by itself, without the sensor
REFRESH_OF_TAG = "evalwatt/refresh_of"
WAITED_TAG = "evalwatt/waited"  # on a refresh: how long it waited for another one
CANCEL_TAG = "evalwatt/cancel"  # a person canceled it: RUN or NIGHT
CANCELED_TAG = "evalwatt/canceled"  # why a run left the queue: DEADLINE or PERSON

RUN, NIGHT = "run", "night"
DEADLINE, PERSON = "deadline", "person"

PARTITION_TAG = "dagster/partition"

MODELS = "models"  # the partitions: one per model of the catalogue
EVALUATIONS = "model_evaluations"  # the asset with these partitions

DEVICE_POOL = "device"
WAREHOUSE_POOL = "warehouse"
OWNERS = ["team:evaluation"]
