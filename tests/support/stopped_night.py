"""A night in which not everything was asked.

On m1 `base` is asked everything. Its fine-tune `tuned` is asked `mc` until it is worse, `gen` to the end although it
was looked at, `long` until the run was killed; and the suite `whole` until it was given up. `lone` has no base and is
asked until its score is known to a width.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from evaluators.landing.bundles import task_bundle
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.metered_nights import answers
from tests.support.parts import complete, into_parts, land_stop

StoppedNight = tuple[Home, list[tuple[str, str]]]

LATER = START + timedelta(hours=1)
WHOLE = {"a": 0.5, "b": 0.5}


def outcomes(**right: int) -> list[TaskOutcome]:
    """Tasks of 200 documents that use 2,000 J each."""
    return [TaskOutcome(task, answers(count, 200), 2000.0) for task, count in right.items()]


def build_stopped_night(tmp_path_factory: pytest.TempPathFactory) -> StoppedNight:
    """The published home, and the models whose runs stopped with those runs' ids."""
    home = Home(tmp_path_factory.mktemp("stopped night"))
    landing = home.landing
    base = BuiltRun(landing, "base", outcomes(mc=120, gen=90, long=80))
    base_whole = BuiltRun(landing, "base", outcomes(a=100, b=100), suite="whole", suite_version="w1", seed=2)
    tuned = BuiltRun(landing, "tuned", outcomes(mc=100, gen=88, long=90), base="base", at=LATER)
    tuned_whole = BuiltRun(
        landing, "tuned", outcomes(a=102, b=99), base="base", at=LATER, suite="whole", suite_version="w1", seed=2
    )
    lone = BuiltRun(landing, "lone", outcomes(mc=110), suite="wide", suite_version="n1", seed=3, at=LATER)

    def reference(of: BuiltRun) -> dict[str, tuple[str, str]]:
        run_id = of.land()
        return {outcome.task: (task_bundle(of.fingerprint(outcome.task), 1), run_id) for outcome in of.outcomes}

    single, together = reference(base), reference(base_whole)
    run, whole, wide = tuned.land(), tuned_whole.land(), lone.land()

    mc = into_parts(landing, run, "mc", (32, 64, 80))
    land_stop(landing, run, [mc], reference={"mc": single["mc"]}, suite="mini", low=-14.0, high=-2.0)
    gen = into_parts(landing, run, "gen", (64, 200))
    complete(landing, gen)
    equal = {"stop_reason": "all", "verdict": "no_difference_shown", "p_value": 0.6}
    bounds = {"low": -4.0, "high": 2.0, "full_low": -1.0, "full_high": -1.0}
    land_stop(landing, run, [gen], reference={"gen": single["gen"]}, suite="mini", **equal, **bounds)
    into_parts(landing, run, "long", (32,))

    both = [into_parts(landing, whole, task, (32, 45, 63)) for task in WHOLE]
    given_up = {"stop_reason": "given_up", "verdict": "no_difference_shown", "p_value": 0.7, "claim_chance": 0.04}
    land_stop(landing, whole, both, WHOLE, together, suite="whole", **given_up, low=-9.0, high=8.0)

    part = into_parts(landing, wide, "mc", (32, 64, 96))
    nothing = dict.fromkeys(
        ("margin_points", "compare_with", "reference_model_id", "reference_json", "verdict", "score_test", "p_value")
    )
    ends = {"low": 51.0, "high": 59.0, "full_low": None, "full_high": None}
    land_stop(
        landing, wide, [part], suite="wide", until="width", width_points=4.0, stop_reason="width", **nothing, **ends
    )

    assert not warehouse.load(home).quarantined
    dbt_build(home, "--exclude-resource-type", "unit_test")
    publication.publish(home, checks={"passed": 1, "failed": 0})
    return home, [("tuned", run), ("tuned", whole), ("lone", wide)]
