"""How large a difference has to be to matter, where a suite does not say it: the seed that the marts read, too."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

_SEED = Path(__file__).parents[2] / "dbt_project" / "seeds" / "equivalence_margins.csv"


@functools.cache
def default_margin(quantity: str) -> float:
    """The quantity's margin: points for a score, a ratio for energies. Raises KeyError for an unknown quantity."""
    with _SEED.open(encoding="utf-8", newline="") as file:
        return {row["quantity"]: float(row["margin"]) for row in csv.DictReader(file)}[quantity]
