"""One night with windows in doubt, on two machines.

On `m1` a fine-tune and its base: the energy of a task and those of scoring windows are in doubt, and a task of the base
was never evaluated. On `g1` a model beside whose every window other programs ran, and whose GPU has a counter.
"""

from __future__ import annotations

import pytest

from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import BuiltRun, TaskOutcome
from tests.support.metered_nights import answers

BUSY = "foreign_load"
BASE = [
    TaskOutcome("mc", answers(6), 1000.0, scoring_j=7.0, scoring_s=0.25, scoring_flags=f"{BUSY},too_short"),
    TaskOutcome("gen", answers(5), 2000.0, tokens_out=[20] * 10),
    TaskOutcome("odd", answers(5), 5000.0, flags=BUSY, duration_s=40.0),
]
TUNED = [
    TaskOutcome("mc", answers(5), 500.0, scoring_j=None, scoring_s=0.5, scoring_flags="stuck"),
    TaskOutcome("gen", answers(8), 400.0, tokens_out=[5] * 10),
    TaskOutcome("odd", answers(9), 100.0),
]
ON_GPU = [
    TaskOutcome("mc", answers(6), 900.0, gpu_j=300.0, flags=BUSY),
    TaskOutcome("gen", answers(4), 900.0, gpu_j=600.0, tokens_out=[5] * 10, flags=BUSY),
]


def build_night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[str]]:
    """The published home, and its runs: base, tuned, and the one on the GPU."""
    home = Home(tmp_path_factory.mktemp("doubtful night"))
    runs = [
        BuiltRun(home.landing, "base", BASE, planned=["mc", "gen", "odd", "late"]).land(),
        BuiltRun(home.landing, "tuned", TUNED, base="base").land(),
        BuiltRun(home.landing, "large", ON_GPU, machine="g1").land(),
    ]
    assert not warehouse.load(home).quarantined
    dbt_build(home, "--exclude-resource-type", "unit_test")
    publication.publish(home, checks={"passed": 1, "failed": 0})
    return home, runs
