"""21. Network down at every step: no hang, the configured country.

codecarbon's online tracker would ask where it is, and record Quebec when nobody answers.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from evaluations import evalwatt, save_workplace
from offline import Offline, offline

HUB = {"huggingface.co"}


@pytest.fixture
def network(tmp_path: Path) -> Offline:
    return offline(tmp_path)


def test_a_night_evaluates_builds_and_publishes_with_the_configured_country(tmp_path: Path, network: Offline) -> None:
    save_workplace(tmp_path, "tiny_one", country_iso_code="DEU")
    night = evalwatt(tmp_path, "run", "--json", wrapper=network.wrapper, environment=network.environment)
    assert night.returncode == 0, night.stderr
    assert json.loads(night.stdout)["evaluated"] == {"base": True}
    query = "select country_iso_code, grid_source, energy_kwh > 0 as metered from marts.fct_task_evaluations"
    (row,) = json.loads(evalwatt(tmp_path, "sql", query, "--format", "json").stdout)
    assert row["country_iso_code"] == "DEU"
    assert "Germany" in row["grid_source"]
    assert row["metered"]
    assert network.tried() == set(), "nothing is looked up online unless it is asked for"


def test_what_needs_the_hub_says_so(tmp_path: Path, network: Offline) -> None:
    save_workplace(tmp_path, "tiny_one")
    entry = tiny.model_entry("far", "far", source="hub", repo="nobody/nothing", revision="0" * 40)
    del entry["path"]
    task = json.loads((tmp_path / "tasks" / "tiny_one.yaml").read_text())
    task |= {"task": "far_data", "dataset_path": "nobody/nothing"}
    del task["dataset_kwargs"]
    (tmp_path / "tasks" / "far_data.yaml").write_text(json.dumps(task))
    models = [entry, tiny.model_entry("base", "base")]
    tiny.save_catalogue(tmp_path, tasks=["far_data", "tiny_one"], models=models)
    network.environment |= {"HF_HOME": str(tmp_path / "cache")}  # type: ignore[operator]
    far = evalwatt(tmp_path, "evaluate", "far", wrapper=network.wrapper, environment=network.environment)
    assert far.returncode == 1
    assert "nobody/nothing@000000000000 cannot be downloaded and is not in the cache" in far.stderr
    base = evalwatt(tmp_path, "evaluate", "base", wrapper=network.wrapper, environment=network.environment)
    assert base.returncode == 1
    assert "tiny_one: acc" in base.stderr
    assert "task far_data cannot be loaded" in base.stderr
    states = evalwatt(
        tmp_path, "import-leaderboard", "hub", wrapper=network.wrapper, environment=network.environment
    )
    assert states.returncode == 1
    assert "the hub does not answer" in states.stderr
    assert network.tried() == HUB
