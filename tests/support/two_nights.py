"""Two nights of two models: landed, built and published."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

# Seeds and models down to the marts of measured evaluations: half the time, and what a fault does is the same.
SOME_MARTS = (
    *("--select", "+fct_samples", "+mart_base_vs_finetuned_deltas"),
    *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
)


@dataclass(frozen=True)
class Nights:
    """An undisturbed home before and after its second night; do not write to them."""

    before: Home
    after: Home


def build_nights(path: Path) -> list[Home]:
    home, kept = Home(path), list[Home]()
    for number in range(2):
        land_night(home, number)
        warehouse.load(home)
        dbt_build(home, *SOME_MARTS)
        publication.publish(home)
        kept.append(copy_of(home, home.path.with_name(f"night-{number}")))
    return kept


def land_night(home: Home, number: int) -> None:
    """Two models on two tasks; they differ from night to night."""
    at = START + timedelta(days=number)
    for hour, (model, base) in enumerate((("base", None), ("tuned", "base"))):
        right = 3 + number + hour
        outcomes = [
            TaskOutcome("mc", [n < right for n in range(10)], 1000.0 + 100 * number, chance=0.25),
            TaskOutcome("gen", [n < right for n in range(10)], 2000.0 - 300 * hour, tokens_out=[20] * 10),
        ]
        BuiltRun(home.landing, model, outcomes, base=base, at=at + timedelta(hours=hour), seed=number).land()


def copy_of(home: Home, path: Path) -> Home:
    shutil.copytree(home.path, path, symlinks=True)
    return Home(path)
