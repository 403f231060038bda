"""The catalogue: what is right is read, and what is wrong is one line with its place and its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from evaluators import engines
from evaluators.catalogue.entries import Catalogue, CatalogueError, Entry, ModelEntry, TaskEntry, load
from evaluators.catalogue.fields import width_of
from evaluators.plan_keys import PlanKeys
from evaluators.spec import suite_version

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
        ("limit: 3", "until: 2 points", 4, "'2 points' is neither decided nor a width; write decided, or ±2 points"),
        ("limit: 3", "until: 2", 4, "2 is neither decided nor a width; write decided, or ±2 points"),
        ("limit: 3", "until: ±60 points", 4, "write decided, or ±2 points"),
        ("limit: 3", "until: settled", 4, "'settled' is neither decided nor a width"),
        ("limit: 3", "untill: decided", 4, "did you mean until?"),
        ("limit: 3", "limit: 3, until: ±2 points", 4, "remove limit or until"),
        ("tests\n", "tests\n    limit: 3\n    until: decided\n    compare_with: last\n", 4, "remove limit or until"),
        ("tests\n", "tests\n    until: decided\n    compare_with: last\n", 6, "no sample of the rest"),
        ("tests\n", "tests\n    until: ±2 points\n", 4, "at each task: {task: …, until: ±2 points}"),
        ("tests\n", "tests\n    margin: 0\n", 4, "greater than 0"),
        ("tests\n", "tests\n    compare_with: bse\n", 4, "there is no model bse; did you mean base?"),
        ("limit: 3", "until: decided", 4, "no model of the suite has a base in the catalogue that has the suite, too"),
    ],
)
def test_each_problem_is_reported_with_its_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert old in GOOD
    message = problem(tmp_path, GOOD.replace(old, new))
    assert f"catalogue.yml:{line}:" in message, message
    assert words in message, message


CHILD = """\
  - name: child
    source: path
    path: tuned
    base_model: base
    family: tiny
    provider: own
    kind: fine_tuned
    suites: [small]
"""
FAMILY = GOOD.replace(", {task: two, limit: 3}", ", {task: two}") + CHILD


def family(tmp_path: Path, *changes: tuple[str, str]) -> Catalogue:
    """The catalogue of a base and its fine-tune, with changes to its text."""
    text = FAMILY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "catalogue.yml").write_text(text)
    return load(tmp_path / "catalogue.yml")


@pytest.mark.parametrize("written", ["±2 points", "+-2 points", "± 2.0 points", "+-2 point"])
def test_a_width_is_written_in_points(tmp_path: Path, written: str) -> None:
    (_, task) = family(tmp_path, ("{task: two}", f"{{task: two, until: {written}}}")).suite("small").tasks
    assert task.until == "±2 points"
    assert width_of(task.until) == 2.0
    assert TaskEntry.model_validate_json(task.model_dump_json()) == task, "an evaluator's spec has it as JSON"


def test_what_is_compared_with_what(tmp_path: Path) -> None:
    def compared(*changes: tuple[str, str]) -> dict[str, str]:
        catalogue = family(tmp_path, ("for tests\n", "for tests\n    until: decided\n"), *changes)
        suite = catalogue.suite("small")
        found = {entry.name: catalogue.reference(entry, suite) for entry in catalogue.models}
        return {name: reference.model or str(reference.why_not) for name, reference in found.items()}

    decided = "until: decided\n"
    assert compared() == {"base": "it has no base", "child": "base"}
    last = {"base": "base", "child": "child"}
    assert compared((decided, f"{decided}    compare_with: last\n")) == last
    named = (decided, f"{decided}    compare_with: child\n")
    assert compared(named) == {"base": "child", "child": "the others are compared with it"}
    elsewhere = ("kind: pretrained", "kind: instruct\n    base_model: org/model")
    assert compared(elsewhere)["base"] == "its base org/model is not in the catalogue"


def test_nothing_to_compare_with_is_a_problem_and_one_model_without_a_base_is_none(tmp_path: Path) -> None:
    decided = ("for tests\n", "for tests\n    until: decided\n")
    family(tmp_path, decided)
    with pytest.raises(
        CatalogueError, match=r"yml:4: suites.small.until: .*\(org/x\).*compare_with: and a model's name"
    ):
        family(tmp_path, decided, ("base_model: base", "base_model: org/x"))
    named = ("for tests\n", "for tests\n    compare_with: base\n")
    family(tmp_path, named)
    with pytest.raises(CatalogueError, match=r"yml:4: .*stranger does not have the suite small.*its suites: other"):
        family(
            tmp_path,
            ("for tests\n", "for tests\n    compare_with: stranger\n"),
            ("models:", "  other:\n    description: more\n    tasks: [three]\nmodels:"),
            (CHILD, CHILD.replace("child", "stranger").replace("[small]", "[other]")),
        )


def test_a_suite_and_its_task_do_not_both_go_on_until(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="asked until it is decided as a whole; remove until from two or from the"):
        family(tmp_path, ("for tests\n", "for tests\n    until: decided\n"), ("task: two", "task: two, until: decided"))


def test_the_margin_is_the_suites_or_else_the_seeds(tmp_path: Path) -> None:
    rows = (PROJECT / "dbt_project/seeds/equivalence_margins.csv").read_text().splitlines()
    (margin,) = [float(row.split(",")[1]) for row in rows if row.startswith("score,")]
    assert family(tmp_path).suite("small").margin_points == margin
    assert family(tmp_path, ("for tests\n", "for tests\n    margin: 0.5\n")).suite("small").margin_points == 0.5


def test_the_same_for_all_suites_from_the_command_line(tmp_path: Path) -> None:
    catalogue = family(tmp_path)
    decided, width = catalogue.asked_until("decided").suite("small"), catalogue.asked_until("±2 points").suite("small")
    assert (decided.until, [task.until for task in decided.tasks]) == ("decided", [None, None])
    assert (width.until, [task.until for task in width.tasks]) == (None, ["±2 points"] * 2)
    limited = family(tmp_path, ("{task: two}", "{task: two, limit: 3}"))
    with pytest.raises(CatalogueError, match="suite small: until goes with all documents"):
        limited.asked_until("decided")


def test_how_much_is_asked_is_in_no_key_and_no_version(tmp_path: Path) -> None:
    def keys(catalogue: Catalogue) -> tuple[list[str], str]:
        suite = catalogue.suite("small")
        return [PlanKeys(catalogue).of(model, suite) for model in catalogue.models], suite_version(suite)

    plain = family(tmp_path)
    expected = keys(plain)
    settings = "until: decided\n    margin: 1\n    compare_with: child"
    assert keys(family(tmp_path, ("for tests\n", f"for tests\n    {settings}\n"))) == expected
    assert keys(family(tmp_path, ("{task: two}", "{task: two, until: ±2 points}"))) == expected
    assert keys(plain.asked_until("decided")) == expected
    assert keys(family(tmp_path, ("{task: two}", "{task: two, weight: 2}"))) != expected


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
