"""25. Model names with `,` `'` `*` `[` `../` newline: rejected where the catalogue is read; bound parameters
everywhere.

In lm-eval's string form `x,trust_remote_code=True` would run code.
"""

from __future__ import annotations

import json
import string
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluators.catalogue.entries import CatalogueError, load
from evaluators.plan import make_spec, plan
from evaluators.spec import read
from orchestration.home import Home
from orchestration.warehouse import load as warehouse
from orchestration.warehouse import publication
from orchestration.warehouse.published import connect
from tests.support import tiny
from tests.support.evaluations import evaluate_all, save_workplace
from tests.support.landing_builder import BuiltRun, TaskOutcome

HOSTILE = (
    "a,trust_remote_code=True",
    "a,pretrained=b",
    "a'; drop table raw.models; --",
    "*",
    "[a]",
    "a?",
    "{a,b}",
    "../a",
    "a/../b",
    "/etc/passwd",
    "a\nb",
    "a\r",
    "a\0b",
    "a b",
    "~a",
    "$HOME",
    "a:b",
    "!!python/object/apply:os.system [id]",
    "&a",
    "-rf",
    ".hidden",
    "a\u202eb",
    "а",  # Cyrillic
    "",
)
FREE = ("family", "path", "quantization")  # texts that are no names: they are kept as they are
ALPHABET = set(string.ascii_letters + string.digits + "._-/")
names = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=",'\"*[]{}()../\\\n\t;:=$`%&|<>!#~?-ab0_", max_size=40),
    st.sampled_from(HOSTILE),
)


def document(**changes: Any) -> dict[str, Any]:
    suite = {"description": "for tests", "tasks": ["tiny_one"]}
    return {"suites": {"tiny": suite}, "models": [tiny.model_entry("base", "base") | changes]}


def read_catalogue(document: dict[str, Any]) -> Any:
    """As a person writes it: YAML in a file. Raises CatalogueError and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "catalogue.yml")
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return load(path)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("field", ["name", "base_model", "repo", "suites"])
def test_a_hostile_name_is_rejected_with_its_place(field: str, name: str) -> None:
    changes: dict[str, Any] = {field: [name] if field == "suites" else name}
    if field == "base_model":
        changes["kind"] = "other"
    if field == "repo":
        changes |= {"source": "hub", "path": None, "revision": "0" * 40}
    with pytest.raises(CatalogueError) as raised:
        read_catalogue(document(**changes))
    assert f"models.0.{field}" in str(raised.value)
    assert "\n" not in str(raised.value).rstrip("\n").replace("\\n", "")


@settings(deadline=None, max_examples=150)
@given(name=names)
@example(name="org/model-1.5_b")
def test_a_name_that_is_read_has_nothing_to_quote(name: str) -> None:
    try:
        entry = read_catalogue(document(name=name)).models[0]
    except CatalogueError:
        return
    assert entry.name == name
    assert set(name) <= ALPHABET
    assert name
    assert name.count("/") <= 1
    assert ".." not in name
    assert not name.startswith((".", "/", "-"))


@settings(deadline=None, max_examples=100)
@given(task=names, key=names, sha=st.one_of(names, st.text("0123456789abcdef\n", min_size=39, max_size=41)))
def test_suites_tasks_and_revisions_as_well(task: str, key: str, sha: str) -> None:
    changed = document(source="hub", path=None, repo="a/b", revision=sha, suites=[key])
    del changed["models"][0]["path"]
    changed["suites"] = {key: {"description": "for tests", "tasks": [task]}}
    try:
        catalogue = read_catalogue(changed)
    except CatalogueError:
        return
    assert set(task) <= ALPHABET | set("()")
    assert set(key) <= ALPHABET
    assert len(sha) == 40
    assert set(sha) <= set("0123456789abcdef")
    assert catalogue.models[0].revision == sha


@settings(deadline=None, max_examples=100)
@given(texts=st.fixed_dictionaries(dict.fromkeys(FREE, names)), description=names)
@example(texts=dict.fromkeys(FREE, "") | {"path": "\x00"}, description="")
def test_other_texts_arrive_in_the_spec_as_they_were_written(texts: dict[str, str], description: str) -> None:
    changed = document(**texts)
    changed["suites"]["tiny"]["description"] = description
    try:
        catalogue = read_catalogue(changed)
    except CatalogueError:
        return
    with tempfile.TemporaryDirectory() as folder:
        (planned,) = plan(catalogue, Path(folder))
        order = Path(folder, "spec.json")
        order.write_text(make_spec(catalogue, planned, Path(folder)).model_dump_json(), encoding="utf-8")
        spec = read(order)
    assert {field: getattr(spec.model, field) for field in FREE} == texts
    assert spec.suite.description == description


@settings(deadline=None, max_examples=8)
@given(texts=st.lists(names.filter(lambda text: "\0" not in text), min_size=2, max_size=4, unique=True))
@example(texts=["a'; drop table raw.models; --", "../../a*[b]?"])
def test_any_text_in_a_landed_row_comes_back_from_the_warehouse(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder, "it's [a] *home*"))
        for text in texts:
            BuiltRun(home.landing, text, [TaskOutcome(text, [True], 1.0)], machine=text).land()
        report = warehouse.load(home)
        assert report.quarantined == []
        with duckdb.connect(home.warehouse, read_only=True) as connection:
            for table, column in (("models", "model_id"), ("task_results", "task"), ("evaluation_runs", "machine_id")):
                found = connection.execute(f"select distinct {column} from raw.{table}").fetchall()
                assert {text for (text,) in found} == set(texts)
        assert {path.name for path in Path(folder).iterdir()} == {home.path.name}


@pytest.mark.parametrize(
    "task",
    [
        "darijammlu_arabic_language_(general)",
        "darijammlu_arabic_language_(grammar)",
        "egymmlu_arabic_language_(general)",
        "egymmlu_arabic_language_(grammar)",
        "tmmluplus_education_(profession_level)",
    ],
)
def test_lm_evals_own_tasks_with_parentheses_are_names(task: str) -> None:
    changed = document()
    changed["suites"]["tiny"]["tasks"] = [task]
    assert [entry.task for entry in read_catalogue(changed).suite("tiny").tasks] == [task]


@pytest.mark.parametrize("task", ["a(b)", "a_()", "(a)", "a_(b", "a_b)", "a_(b)_(c)", "a_(b;c)", "a_((b))", "a_(b)c"])
def test_other_parentheses_are_not(task: str) -> None:
    changed = document()
    changed["suites"]["tiny"]["tasks"] = [task]
    with pytest.raises(CatalogueError, match="is not a valid name"):
        read_catalogue(changed)


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    place = tmp_path / "it's [a] {b} *; $HOME, trust_remote_code=True"
    place.mkdir()
    save_workplace(place, "tiny_one")
    # lm-eval takes the place of a task's data for a pattern; all other places are ours.
    data = (place / "tasks" / "tiny_one.jsonl").rename(tmp_path / "tiny_one.jsonl")
    task = place / "tasks" / "tiny_one.yaml"
    task.write_text(json.dumps(json.loads(task.read_text()) | {"dataset_kwargs": {"data_files": {"test": str(data)}}}))
    (summary,) = evaluate_all(place)
    assert summary.status == "completed"
    home = Home(place / "data")
    warehouse.load(home)
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("create schema marts; create table marts.mart_a as select model_id from raw.models")
    for _ in range(2):  # the second version is made from the first
        publication.publish(home)
    with connect(home) as connection:
        assert connection.sql("select * from marts.mart_a").fetchall() == [("base",)]
