"""Options that several verbs share. They set the environment, which the processes started later see too."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _into(variable: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            os.environ[variable] = "1" if value is True else str(Path(value).absolute())

    return callback


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        return str(os.getuid())


_debug = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_into("EVALWATT_DEBUG"), help="Show tracebacks of errors."
)
_home = click.option(
    "--home",
    metavar="DIR",
    expose_value=False,
    callback=_into("EVALWATT_HOME"),
    help="Where the state lies; instead of EVALWATT_HOME, or ./data.",
)
_catalogue = click.option(
    "--catalogue",
    metavar="FILE",
    expose_value=False,
    callback=_into("EVALWATT_CATALOGUE"),
    help="What is evaluated; instead of EVALWATT_CATALOGUE, or ./catalogue.yml.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON on standard output.")

by = click.option("--by", metavar="NAME", default=_user, show_default="you", help="Who decides; it is kept.")


def places(*, catalogue: bool = True) -> Decorator:
    """--home, --debug and, where the verb reads it, --catalogue."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function = _debug(_home(function))
        return _catalogue(function) if catalogue else function

    return decorate
