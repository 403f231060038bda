"""What an upgrade makes of a landing that an earlier version made: nothing due, no key changed, the same figures.

`0.1.0/` was made by version 0.1.0: the default pair in float32 at eight documents a task, the base twice, two small
states of the leaderboard, and the marts that were published from them. A difference here makes people pay for a night
again, or changes a figure that they have shown to somebody: it is a decision, listed in CHANGELOG.md and below.
"""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evaluators.catalogue import entries
from evaluators.plan import make_spec, plan
from evaluators.process.run import evaluate
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from tests.support.built_once import built_once
from tests.support.dbt_runner import dbt_build

KEPT = Path(__file__).parent / "0.1.0"
BASE, TUNED = "SmolLM2-135M-Instruct", "SmolLM2-135M-short-answers"

# Sentences may be put better, and a build names itself.
SENTENCES = ("reason", "note", "definition", "confounders")
OF_THE_BUILD = {"publication"}
# Figures that were not known and now are: (mart, column), and why. What was known is the same.
KNOWN_NOW = {
    ("mart_model_efficiency", f"{phase}_share"): "only scoring or idle windows are in doubt"
    for phase in ("inference", "scoring", "idle", "load", "warmup")
}
# Names that a column, and values that a code, have now.
RENAMED = {"evidence": "basis", "evidence_hash": "row_version", "comparison_key": "score_comparability_key"}
CODES = {"control_flag": {"no control": "no_control", "no figure": "no_figure"}}
# Words that verdicts and claims' rules have now.
REWORDED = {
    "cannot be told": "undetermined",
    "energy repeated too rarely": "too few repetitions",
    "row a side": "row per side",
    "models a side": "models per side",
    "the interval holds 1": "the interval includes 1",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The landing beside its catalogue, as its user has them before an upgrade."""
    shutil.copytree(KEPT, tmp_path / "team")
    home = Home(tmp_path / "team" / "data")
    _unpack("landing", home.path)
    return home


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The landing's marts, built by this version."""

    def build() -> Home:
        home = Home(tmp_path_factory.mktemp("upgraded"))
        _unpack("landing", home.path)
        assert not warehouse.load(home).quarantined
        dbt_build(home, "--exclude-resource-type", "unit_test")
        return home

    return built_once(tmp_path_factory, "upgraded", build)


def test_nothing_is_due(home: Home) -> None:
    planned = {run.model: run for run in plan(entries.load(home.path.parent / "catalogue.yml"), home.path)}
    assert not [f"{run.model}: {run.reason}" for run in planned.values() if run.due]
    assert planned[BASE].plan_key == "ce1fa0c7d39ccfa3"
    assert planned[TUNED].plan_key == "3cad0c46e275c27b"


def test_nothing_is_due_where_the_suite_goes_by_until_from_now_on(home: Home) -> None:
    """What is complete answers every `until`, which is in no key. A catalogue would refuse it beside the limit."""
    team = entries.load(home.path.parent / "catalogue.yml")
    suite = team.suite("mini")
    tasks = tuple(task.model_copy(update={"until": "±2 points"}) for task in suite.tasks)
    for changes in ({"until": "decided", "margin": 1.0}, {"tasks": tasks, "compare_with": "last"}):
        asked = dataclasses.replace(team, suites={"mini": suite.model_copy(update=changes)})
        planned = {run.model: run for run in plan(asked, home.path)}
        assert not [f"{run.model}: {run.reason}" for run in planned.values() if run.due]
        assert [planned[model].plan_key for model in (BASE, TUNED)] == ["ce1fa0c7d39ccfa3", "3cad0c46e275c27b"]


@pytest.mark.slow  # converts the package's model
def test_the_evaluator_finds_every_task_of_the_package_done(home: Home) -> None:
    team = entries.load(home.path.parent / "catalogue.yml")
    (run,) = plan(team, home.path, models=[BASE])
    summary = evaluate(make_spec(team, run, home.path))
    assert summary.status == "completed", summary.reason
    assert len(summary.reused) == 6
    assert not summary.tasks


def test_a_changed_question_is_due(home: Home) -> None:
    file = home.path.parent / "catalogue.yml"
    file.write_text(file.read_text().replace("limit: 8", "limit: 9"))
    assert [run.due for run in plan(entries.load(file), home.path)] == [True, True]


def _marts() -> list[str]:
    with tarfile.open(KEPT / "marts.tar.xz") as archive:
        names = (Path(member.name) for member in archive.getmembers() if member.isfile())
        return sorted(name.stem for name in names if name.stem not in OF_THE_BUILD)


@pytest.mark.parametrize("mart", _marts())
def test_every_figure_is_the_same(built: Home, tmp_path: Path, mart: str) -> None:
    _unpack("marts", tmp_path)
    with duckdb.connect(str(built.warehouse), read_only=True) as now:
        kept = now.from_parquet(str(tmp_path / "parquet" / f"{mart}.parquet"))
        kept = kept.select(*(duckdb.ColumnExpression(name).alias(RENAMED.get(name, name)) for name in kept.columns))
        known_now = [column for of, column in KNOWN_NOW if of == mart]
        columns = [c for c in kept.columns if c not in known_now and not any(word in c for word in SENTENCES)]
        columns += known_now  # last, because they may change a row's place among others
        before = _sorted(kept.select(*columns).fetchall())
        table = now.table(f"marts.{mart}")
        if "scope" in columns:  # a further row where only part of a suite's energy is known
            table = table.filter("scope != 'known_tasks'")
        after = _sorted(table.select(*columns).fetchall())
    assert len(after) == len(before)
    for number, column in enumerate(columns):
        pairs = [(new[number], old[number]) for new, old in zip(after, before, strict=True)]
        pairs = [(new, old) for new, old in pairs if old is not None or column not in known_now]
        found, expected = ([pair[side] for pair in pairs] for side in (0, 1))
        expected = [_as_said_now(CODES.get(column, {}).get(value, value)) for value in expected]
        expected = [pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for value in expected]
        assert found == expected, f"{mart}.{column}"


def _as_said_now(value: Any) -> Any:
    if isinstance(value, str):
        for was, now in REWORDED.items():
            value = value.replace(was, now)
    return value


def _sorted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """In an order that the last digits of a float do not change."""
    words = [[f"{value:.6g}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    return [row for _, row in sorted(zip(words, rows, strict=True))]


def _unpack(name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(KEPT / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
