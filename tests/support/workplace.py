"""A folder with a catalogue and a tiny model, due on three tasks; and one with a task that stands still."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evaluators.catalogue.entries import load
from evaluators.landing import bundles
from evaluators.plan import make_spec, plan
from evaluators.spec import RunSpec
from orchestration.home import Home
from tests.support import tiny

TASKS = ("tiny_one", "tiny_two", "tiny_three")
HELD_TASK = "tiny_held"

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


def save_workplace(folder: Path, model: Path, tasks: tuple[str, ...]) -> Workplace:
    shutil.copytree(model, folder / "model")
    tiny.save_tasks(folder / "tasks", tasks)
    tiny.save_catalogue(folder, tasks=list(tasks), models=[tiny.model_entry("tiny-base", "model")])
    return Workplace(folder)


def save_held_workplace(folder: Path, model: Path) -> Workplace:
    """The same with a task between that stands still before it lands, until it is let go."""
    place = save_workplace(folder, model, (TASKS[0], HELD_TASK, *TASKS[1:]))
    tasks = place.path / "tasks"
    (tasks / "holding.py").write_text(_HOLDING)
    held = (tasks / f"{HELD_TASK}.yaml").read_text().removesuffix("}")
    (tasks / f"{HELD_TASK}.yaml").write_text(held + ', "process_results": !function holding.wait}')
    return place
