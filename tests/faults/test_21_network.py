"""21. Network down at every step: no hang, the configured country.

codecarbon's online tracker would ask where it is, and record Quebec when nobody answers.
"""

from __future__ import annotations

import json

import pytest

from evaluators.energy.grid import grid
from tests.support.evaluations import evalwatt, rows
from tests.support.night import Night, the_night
from tests.support.offline import HUB


@pytest.fixture
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return the_night(tmp_path_factory)


def test_evaluation_build_and_publication_need_no_network(night: Night) -> None:
    answer = json.loads(night.ended.stdout)
    assert answer["evaluated"]["base"], night.ended.stderr
    assert answer["published"], night.ended.stderr
    runs = {row["model_id"]: row for row in rows(night.folder, "evaluation_runs")}
    germany = grid("DEU", None, None)
    assert (runs["base"]["country_iso_code"], runs["base"]["grid_source"]) == ("DEU", germany.source)
    query = "select distinct grid_intensity_g_per_kwh, energy_kwh > 0 as metered from marts.fct_task_evaluations"
    (row,) = json.loads(evalwatt(night.folder, "sql", query, "--format", "json").stdout)
    assert row == {"grid_intensity_g_per_kwh": germany.intensity_g_per_kwh, "metered": True}


def test_a_model_of_the_hub_is_a_failed_row_with_its_reason(night: Night) -> None:
    answer = json.loads(night.ended.stdout)
    assert not answer["evaluated"]["far"]
    (run,) = [row for row in rows(night.folder, "evaluation_runs") if row["model_id"] == "far"]
    assert run["status"] == "failed"
    assert "nobody/nothing@000000000000 cannot be downloaded and is not in the cache" in run["reason"]


def test_states_of_the_leaderboard_say_that_the_hub_does_not_answer(night: Night) -> None:
    ended = evalwatt(
        night.folder, "import-leaderboard", "hub", wrapper=night.network.wrapper, environment=night.environment
    )
    assert ended.returncode == 1
    assert "the hub does not answer" in ended.stderr


def test_nothing_is_looked_up_but_what_is_on_the_hub(night: Night) -> None:
    assert night.network.tried() <= {HUB}
