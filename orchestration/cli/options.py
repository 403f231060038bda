"""Options that several verbs share. They set environment variables, so that child processes see them too."""

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
    help="Where state is kept. Default: EVALWATT_HOME, or ./data.",
)
_catalogue = click.option(
    "--catalogue",
    metavar="FILE",
    expose_value=False,
    callback=_into("EVALWATT_CATALOGUE"),
    help="The catalogue. Default: EVALWATT_CATALOGUE, or ./catalogue.yml.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")

by = click.option("--by", metavar="NAME", default=_user, show_default="you", help="Who decided this; it is stored.")


def places(*, catalogue: bool = True) -> Decorator:
    """--home, --debug and, for verbs that read it, --catalogue."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function = _debug(_home(function))
        return _catalogue(function) if catalogue else function

    return decorate
