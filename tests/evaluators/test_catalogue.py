"""The catalogue: what is right is read, and what is wrong is one line with its place and its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from evaluators import engines
from evaluators.catalogue.entries import CatalogueError, Entry, ModelEntry, load

PROJECT = Path(__file__).parents[2]

GOOD = """\
suites:
  small:
    description: for tests
    tasks: [one, {task: two, limit: 3}]
models:
  - name: base
    source: path
    path: weights
    family: tiny
    provider: own
    kind: pretrained
    suites: [small]
"""


def problem(tmp_path: Path, text: str) -> str:
    path = tmp_path / "catalogue.yml"
    path.write_text(text)
    with pytest.raises(CatalogueError) as raised:
        load(path)
    return str(raised.value)


def test_the_catalogue_that_ships_is_valid() -> None:
    catalogue = load(PROJECT / "catalogue.yml")
    child = catalogue.model("SmolLM2-135M-short-answers")
    assert catalogue.model(str(child.base_model)).source == "package"
    weights = [task.weight for task in catalogue.suite("leaderboard").tasks]
    assert sum(weights) == pytest.approx(6, abs=1e-3)


def test_a_good_catalogue_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yml"
    path.write_text(GOOD)
    catalogue = load(path)
    assert [task.limit for task in catalogue.suite("small").tasks] == [None, 3]
    assert catalogue.model("base").dtype == "auto"
    assert catalogue.settings.nightly_at == "02:00"


def test_a_base_that_is_misspelt_is_asked_about_and_one_of_the_hub_is_not(tmp_path: Path) -> None:
    entry = GOOD.partition("models:\n")[2]
    child = entry.replace("name: base", "name: child").replace("pretrained", "fine_tuned\n    base_model: {}")
    text = GOOD.replace("name: base", "name: our-base-7b") + child
    assert "did you mean our-base-7b?" in problem(tmp_path, text.replace("{}", "our-bass-7b"))
    for elsewhere in ("org/our-bass-7b", "gpt2", "unknown"):
        (tmp_path / "catalogue.yml").write_text(text.replace("{}", elsewhere))
        assert load(tmp_path / "catalogue.yml").model("child").base_model == elsewhere


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("    kind: pretrained", "    kinds: pretrained", 11, "kind"),
        ("    provider: own", "    provider: friend", 10, "official"),
        ("    kind: pretrained", "    kind: fine_tuned", 6, "missing lineage"),
        ("    kind: pretrained", "    kind: fine_tuned\n    base_model: base", 12, "descends from itself"),
        ("name: base", 'name: "a\\nb"', 6, "rename it"),
        ("suites: [small]", "suites: [smal]", 12, "small"),
        ("suites: [small]", "suites: small", 12, "'small' is not a list; write [a, b]"),
        ("suites: [small]", "suites: []", 12, "empty; name at least one"),
        ("limit: 3", "limit: 3.5", 4, "3.5 is not a whole number"),
        ("limit: 3", "limit: many", 4, "'many' is not a whole number"),
        ("limit: 3", "binary: perhaps", 4, "'perhaps' is neither true nor false"),
        ("limit: 3", "weight: heavy", 4, "'heavy' is not a number"),
        ("    suites: [small]", "    suites: [small]\n    budget: 90m", 13, "'90m' is not a mapping"),
        ("source: path\n    path: weights", "source: hub\n    repo: a/b\n    revision: main", 9, "revision"),
        ("source: path\n    path: weights", "source: hub\n    repo: a/b", 6, "needs repo and revision"),
        ("    path: weights", "    path: weights\n    repo: a/b", 9, "belongs to source: hub"),
        ("suites:\n  small", "settings:\n  control: {model: bass}\nsuites:\n  small", 2, "did you mean base?"),
        (
            "suites:\n  small",
            "settings:\n  control: {model: base}\nsuites:\n  small",
            2,
            "base does not have the suite",
        ),
        ("suites:\n  small", "settings:\n  control: {modl: base}\nsuites:\n  small", 2, "did you mean model?"),
    ],
)
def test_each_problem_is_reported_with_its_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert old in GOOD
    message = problem(tmp_path, GOOD.replace(old, new))
    assert f"catalogue.yml:{line}:" in message, message
    assert words in message, message


def test_a_misspelt_key_is_one_problem(tmp_path: Path) -> None:
    message = problem(tmp_path, GOOD.replace("provider: own", "provder: own"))
    assert message == "catalogue.yml:10: models.0.provder: unknown key; did you mean provider?"


def test_a_missing_key_is_a_problem_beside_an_unknown_one(tmp_path: Path) -> None:
    message = problem(tmp_path, GOOD.replace("provider: own", "colour: blue"))
    assert "models.0.provider: missing" in message
    assert "models.0.colour: unknown key" in message


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    message = problem(tmp_path, GOOD.replace("provider: own", "provider: x").replace("limit: 3", "limit: 0"))
    assert len(message.splitlines()) == 2


def test_a_second_model_of_a_name_is_refused(tmp_path: Path) -> None:
    assert "another model is already called base" in problem(tmp_path, GOOD + GOOD.partition("models:\n")[2])


def test_a_duplicate_key_is_refused(tmp_path: Path) -> None:
    assert "catalogue.yml:13" in problem(tmp_path, GOOD + "    family: other\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "models: []\n"])
def test_an_empty_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    assert problem(tmp_path, text)


def test_unknown_names_list_the_known_ones() -> None:
    catalogue = load(PROJECT / "catalogue.yml")
    with pytest.raises(CatalogueError, match="SmolLM2-135M-Instruct"):
        catalogue.model("SmolLM2-135M-Instrukt")
    with pytest.raises(CatalogueError, match="mini"):
        catalogue.suite("minni")


def test_the_catalogues_engines_are_those_that_can_be_loaded() -> None:
    known = ", ".join(get_args(get_type_hints(ModelEntry)["engine"]))
    with pytest.raises(ValueError, match=f"known: {known}$"):
        engines.load("steam", Path(), dtype="float32", device="cpu", batch_size=1)


def test_a_later_field_at_its_default_changes_no_dump() -> None:
    class Earlier(Entry):
        name: str

    class Later(Earlier):
        later = frozenset({"scale"})
        scale: float | None = None

    assert Later(name="a").model_dump(mode="json") == Earlier(name="a").model_dump(mode="json")
    assert Later(name="a").model_dump_json(exclude={"name"}) == "{}"
    assert Later(name="a", scale=100).model_dump() == {"name": "a", "scale": 100}
