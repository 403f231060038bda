"""The dbt project's macros and models as SQL, rendered without dbt, which would take seconds for each."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, StrictUndefined

from orchestration.home import DBT_PROJECT


def rendered(text: str) -> str:
    """`text` with the project's macros in it. What it reads by `ref` or `source` is a table of that name."""
    return _environment().from_string(text).render()


def model(name: str) -> str:
    """A model's query."""
    (path,) = (DBT_PROJECT / "models").rglob(f"{name}.sql")
    return rendered(path.read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    environment = Environment(undefined=StrictUndefined)
    environment.globals |= {"config": lambda **_: "", "ref": lambda name: name, "source": lambda _, name: name}
    files = sorted((DBT_PROJECT / "macros").glob("*.sql"))
    macros = environment.from_string("".join(path.read_text(encoding="utf-8") for path in files)).module
    environment.globals |= vars(macros)
    return environment
