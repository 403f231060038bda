"""The subject of the comparisons: the catalogue's first model and the suite `mini`, with a few documents per task."""

from __future__ import annotations

import tempfile
from pathlib import Path

from evaluators.catalogue.entries import Catalogue, ModelEntry, SuiteEntry, load
from evaluators.landing import bundles
from evaluators.machine import native_dtype
from evaluators.models.sources import LocalModel, prepare
from evaluators.spec import RunSpec
from orchestration.home import Home, catalogue_path

DOCUMENTS = 6


def subject() -> tuple[Catalogue, ModelEntry, SuiteEntry, LocalModel]:
    """The catalogue, its first model, prepared, and the suite `mini` limited to DOCUMENTS documents per task."""
    catalogue = load(catalogue_path())
    entry = catalogue.models[0]
    local = prepare(
        entry, {model.name: model for model in catalogue.models}, Home.from_env().path, catalogue.path.parent, print
    )
    entry = entry.model_copy(
        update={"dtype": native_dtype("cpu")}
    )  # lm-eval's command line does not know `auto` as we do
    suite = catalogue.suite("mini")
    tasks = tuple(task.model_copy(update={"limit": DOCUMENTS}) for task in suite.tasks)
    return catalogue, entry, suite.model_copy(update={"tasks": tasks}), local


def run_spec(catalogue: Catalogue, entry: ModelEntry, suite: SuiteEntry, home: Path) -> RunSpec:
    """An evaluator's instructions for a model in a folder."""
    return RunSpec(
        run_id=bundles.new_run_id(),
        home=home,
        root=catalogue.path.parent,
        model=entry,
        lineage=(),
        suite=suite,
        settings=catalogue.settings,
        plan_key="benchmark",
    )


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for a comparison."""
    return tempfile.TemporaryDirectory(prefix="evalwatt-benchmark-")


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as a Markdown table; the first one is the header."""
    header, *body = rows
    lines = [header, tuple("---" for _ in header), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
