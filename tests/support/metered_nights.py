"""Two nights of invented runs whose every figure can be worked out by hand, and the homes that are built from them.

Invented machines m1 and m2, idle power 10 W, pue 1.5, 400 g/kWh.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from evaluators.engines import TokenCounts
from evaluators.landing import decisions
from evaluators.landing.bundles import END_BUNDLE, bundles
from orchestration.gates import landed
from orchestration.gates.asked import WHOLE_SUITE, Asked
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from tests.support.dbt_runner import dbt_build
from tests.support.landing_builder import START, BuiltRun, TaskOutcome

KWH = 3.6e6  # joules
NIGHT_2 = START + timedelta(days=1)


def answers(right: int, of: int = 10) -> list[bool]:
    return [number < right for number in range(of)]


MC = TaskOutcome("mc", answers(6), 1000.0, chance=0.25, counts=TokenCounts(50, 10, 100, 40), tokens_shared=60)
COUNTED = TokenCounts(computed=250, padding=0, unshared=290, distinct=250)
GEN = TaskOutcome("gen", answers(5), 2000.0, tokens_out=[20] * 10, counts=COUNTED, tokens_shared=40)
TUNED_MC = TaskOutcome("mc", answers(5), 1000.0, chance=0.25)
# Right where the base was wrong, but for three documents that both answer.
TUNED_GEN = TaskOutcome("gen", [False, False, *[True] * 8], 500.0, tokens_out=[2, 3] * 5)


def _repeated(task: str, right: int, energies: Sequence[float]) -> list[TaskOutcome]:
    return [TaskOutcome(task, answers(right), e, repetition=number) for number, e in enumerate(energies, start=1)]


def _first_night(home: Home) -> None:
    def run(model: str, outcomes: Sequence[TaskOutcome], **changes: Any) -> str:
        return BuiltRun(home.landing, model, outcomes, **changes).land()

    run("base", [MC, GEN])
    run("tuned", [TUNED_MC, TUNED_GEN], base="base", at=START + timedelta(hours=1))
    # The same base elsewhere, ten times hungrier: comparable with nobody.
    elsewhere = [TaskOutcome("mc", answers(6), 1e4, chance=0.25), TaskOutcome("gen", answers(5), 2e4, [20] * 10)]
    run("base", elsewhere, machine="m2", duration_s=230.0)
    # Killed after its first task.
    run("slow", [TaskOutcome("mc", answers(7), 3000.0, chance=0.25)], planned=["mc", "gen"], status="interrupted")
    doubtful = [TaskOutcome("mc", answers(9), 1.0, chance=0.25, flags="too_short", duration_s=0.5), GEN]
    run("doubtful", doubtful, params_b=None, params_stated_b=3.0)
    # Three repetitions each: energy has an interval.
    run("base", _repeated("rep", 5, [900, 1000, 1100]), suite="repeated", suite_version="r1")
    run("tuned", _repeated("rep", 5, [450, 500, 550]), suite="repeated", suite_version="r1", base="base")
    # Another suite with a task in common: nothing was evaluated anew, no model was loaded.
    run("base", [], suite="small", suite_version="s1", reused=["mc"], setup=False, at=START + timedelta(hours=2))


def _second_night(home: Home) -> None:
    gen = TaskOutcome("gen", answers(5), 4000.0, tokens_out=[20] * 10)
    BuiltRun(home.landing, "base", [gen], reused=["mc"], at=NIGHT_2).land()
    gen = TaskOutcome("gen", answers(2), 6000.0, tokens_out=[50] * 10)
    BuiltRun(home.landing, "slow", [gen], reused=["mc"], at=NIGHT_2).land()


# Each of these alone makes energies incomparable.
OTHER_SETTINGS: tuple[dict[str, Any], ...] = (
    {"machine_id": "m9"},
    {"device_name": "another chip"},
    {"dtype": "float32"},
    {"engine": "shared-prefix"},
    {"engine_version": "6"},
    {"batch_policy": "1"},
    {"threads": 64},
    {"harness_version": "9"},
    {"meter": "wall"},
    {"meter_version": "2"},
    {"suite_version": "v9"},
)


def _other_nights(home: Home) -> None:
    """The same models on the same documents, hungrier and wordier, in settings that differ in one thing each."""
    for number, setting in enumerate(OTHER_SETTINGS, start=2):
        hungry = [dataclasses.replace(task, energy_j=number * 1e4) for task in (MC, GEN)]
        wordy = [TUNED_MC, dataclasses.replace(TUNED_GEN, energy_j=number * 1e4, tokens_out=[90 * number] * 10)]
        # Another version of a suite asks otherwise: what it asks alike is one evaluation, which answers both.
        seed = 2 if "suite_version" in setting else 1
        BuiltRun(home.landing, "base", hungry, setting=setting, seed=seed).land()
        BuiltRun(home.landing, "tuned", wordy, base="base", setting=setting, seed=seed).land()


def _decide(home: Home) -> None:
    """A gate asks about the fine-tune. The base's second night is left out, and m2's run was seen by a wall meter: 36.6
    kJ, where 30.5 were metered."""
    ids = [run_id for run_id in sorted(path.name for path in home.landing.iterdir()) if len(run_id) == 26]
    ends = {run_id: next(b for b in bundles(home.landing, run_id) if b.name == END_BUNDLE) for run_id in ids}
    rows = {run_id: pq.read_table(end.files["evaluation_runs"]).to_pylist()[0] for run_id, end in ends.items()}
    (bad,) = [i for i, row in rows.items() if row["model_id"] == "base" and row["started_at"] >= NIGHT_2]
    (wall,) = [i for i, row in rows.items() if row["machine_id"] == "m2"]
    decisions.exclude(home.landing, bad, "the fan failed", "ann")
    decisions.calibrate(home.landing, 36_600 / KWH, wall, "ann")
    keys = [BuiltRun(home.landing, name, []).model_key for name in ("tuned", "base")]
    asked = Asked("tuned", "base", "base", "mini", (WHOLE_SUITE,), 2.0, 1.1, passes_inconclusive=False)
    landed.land_question(home.landing, asked, landed.Sides(*keys))


def build_homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """The published marts after one night, after two, after a rebuild of both, and after decisions about them.

    `mixed` is the first night beside runs that nothing in it may be compared with.
    """
    home = Home(tmp_path_factory.mktemp("home with space"))
    kept = {}
    _first_night(home)
    mixed = Home(tmp_path_factory.mktemp("mixed"))
    shutil.copytree(home.landing, mixed.landing)
    _other_nights(mixed)
    assert not warehouse.load(mixed).quarantined
    dbt_build(mixed, "--exclude-resource-type", "unit_test")
    kept["mixed"] = mixed
    for stage in ("first", "second", "rebuilt", "decided"):
        if stage == "first":
            assert not warehouse.load(home).quarantined
            dbt_build(home)
        elif stage == "second":
            _second_night(home)
            warehouse.load(home)
            dbt_build(home, "--exclude-resource-type", "unit_test")
        elif stage == "decided":
            _decide(home)
            assert not warehouse.load(home).quarantined
            dbt_build(home, "--exclude-resource-type", "unit_test")
        else:
            warehouse.rebuild(home)
            dbt_build(home, "--exclude-resource-type", "unit_test")
        publication.publish(home, checks={"passed": 1, "failed": 0}, keep=9)
        copy = Home(home.path / stage)
        copy.path.mkdir()
        copy.warehouse.write_bytes(home.warehouse.read_bytes())
        copy.published.symlink_to(publication.current(home))
        kept[stage] = copy
    return kept
