"""What the faults happen to: a workplace whose tiny model is evaluated, and a home whose marts are built.

Building takes dbt the longest, so two nights are built once a session, without a fault, and each test gets a copy: of
the home as it was before the second night, or after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from support import tiny
from support.built_once import built_once
from support.dbt_runner import dbt_build
from support.landing_builder import START, BuiltRun, TaskOutcome

from evaluators.catalogue.entries import load
from evaluators.landing import bundles
from evaluators.plan import make_spec, plan
from evaluators.spec import RunSpec
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication

TASKS = ("tiny_one", "tiny_two", "tiny_three")
HELD_TASK = "tiny_held"
# Seeds and models down to the marts of measured evaluations: half the time, and what a fault does is the same.
SOME_MARTS = (
    *("--select", "+fct_samples", "+mart_base_vs_finetuned_deltas"),
    *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
)

# An evaluation that stands still where a test wants it: asked, answered, and not landed yet.
_HOLDING = """
import time
from pathlib import Path

HERE = Path(__file__).parents[1]  # not beside the task: its files are part of the plan


def wait(doc, results):
    (HERE / "held").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return {"acc": float(results[0][0] > results[1][0])}
"""


@dataclass(frozen=True)
class Workplace:
    """A folder with a catalogue, its model and its tasks."""

    path: Path

    @property
    def home(self) -> Home:
        return Home(self.path / "data")

    @property
    def held(self) -> Path:
        """Appears when the held task is asked and answered, but not landed."""
        return self.path / "held"

    def let_go(self) -> None:
        (self.path / "go").touch()

    def spec(self) -> RunSpec:
        """The order for the next run of the model."""
        catalogue = load(self.path / "catalogue.yml")
        return make_spec(catalogue, plan(catalogue, self.home.path)[0], self.home.path)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What has landed of a raw table, in the order of runs."""
        files = [bundle.files[table] for bundle in bundles.bundles(self.home.landing) if table in bundle.files]
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def write_spec(self) -> Path:
        """The same as a file beside the catalogue, named by its run."""
        spec = self.spec()
        path = self.path / f"{spec.run_id}.json"
        path.write_text(spec.model_dump_json())
        return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def workplace(tmp_path: Path, tiny_model: Path) -> Workplace:
    """The model `tiny-base`, due on three tasks."""
    return _workplace(tmp_path / "a place", tiny_model, TASKS)


@pytest.fixture
def held_workplace(tmp_path: Path, tiny_model: Path) -> Workplace:
    """The same with a task between that stands still before it lands, until it is let go."""
    place = _workplace(tmp_path / "a place", tiny_model, (TASKS[0], HELD_TASK, *TASKS[1:]))
    tasks = place.path / "tasks"
    (tasks / "holding.py").write_text(_HOLDING)
    held = (tasks / f"{HELD_TASK}.yaml").read_text().removesuffix("}")
    (tasks / f"{HELD_TASK}.yaml").write_text(held + ', "process_results": !function holding.wait}')
    return place


def _workplace(folder: Path, model: Path, tasks: tuple[str, ...]) -> Workplace:
    shutil.copytree(model, folder / "model")
    tiny.save_tasks(folder / "tasks", tasks)
    tiny.save_catalogue(folder, tasks=list(tasks), models=[tiny.model_entry("tiny-base", "model")])
    return Workplace(folder)


@dataclass(frozen=True)
class Nights:
    """An undisturbed home before and after its second night; do not write to them."""

    before: Home
    after: Home


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    folder = "nights"
    return Nights(*built_once(tmp_path_factory, folder, lambda: _nights(tmp_path_factory.mktemp(folder) / "home")))


def _nights(path: Path) -> list[Home]:
    home, kept = Home(path), list[Home]()
    for number in range(2):
        land_night(home, number)
        warehouse.load(home)
        dbt_build(home, *SOME_MARTS)
        publication.publish(home)
        kept.append(copy_of(home, home.path.with_name(f"night-{number}")))
    return kept


@pytest.fixture
def home_before(nights: Nights, tmp_path: Path) -> Home:
    """A home with one night built and published, and the second one landed."""
    home = copy_of(nights.before, tmp_path / "home")
    shutil.copytree(nights.after.landing, home.landing, dirs_exist_ok=True)
    return home


@pytest.fixture
def home(nights: Nights, tmp_path: Path) -> Home:
    """A home with both nights built and published."""
    return copy_of(nights.after, tmp_path / "home")


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


@pytest.fixture(scope="session")
def marts() -> Callable[[Path], dict[str, list[tuple[Any, ...]]]]:
    """Reads all marts of a build file or a published one."""

    def read(path: Path) -> dict[str, list[tuple[Any, ...]]]:
        with duckdb.connect(path, read_only=True) as connection:
            tables = connection.execute(
                "select distinct table_name from duckdb_tables() "
                "where schema_name in ('marts', 'main') and table_name <> 'publication'"
            ).fetchall()
            return {name: connection.execute(f"from marts.{name} order by all").fetchall() for (name,) in tables}

    return read
