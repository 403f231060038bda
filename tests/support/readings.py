"""A window's reading, of a machine with every sensor."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from evaluators.energy import Reading

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
READING = Reading(
    started_at=NOON,
    ended_at=NOON,
    duration_s=10.0,
    cpu_energy_kwh=0.002,
    gpu_energy_kwh=0.005,
    ram_energy_kwh=0.001,
    cpu_method="modelled",
    gpu_method="measured",
    ram_method="modelled",
)


def reading(**changes: object) -> Reading:
    return dataclasses.replace(READING, **changes)  # type: ignore[arg-type]
