"""--until-precise and --repeat-for, which `run` and `evaluate` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from evaluators.catalogue.fields import Duration


class Share(click.ParamType[float]):
    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            share = float(str(value).removesuffix("%")) / 100
        except ValueError:
            share = 0.0
        if not 0 < share < 1 or not str(value).endswith("%"):
            self.fail(f"{value!r} is not a percentage between 0% and 100%; write, for example, 5%")
        return share


class _Seconds(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(TypeAdapter(Duration).validate_python(value).total_seconds())
        except ValidationError:
            self.fail(f"{value!r} is not a duration; write a number and a unit, such as 30m")


def until_precise(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options, as the arguments `half_width` (share of the mean, or None) and `repeat_for_s`."""
    function = click.option(
        "--repeat-for",
        "repeat_for_s",
        type=_Seconds(),
        default="30m",
        show_default=True,
        help="With --until-precise: start no further repetition of a model when this much time has passed.",
    )(function)
    return click.option(
        "--until-precise",
        "half_width",
        type=Share(),
        metavar="5%",
        help="Repeat each task, longest first, at least five times, until the 95 % interval of its energy is no "
        "wider than this to either side.",
    )(function)


def config(half_width: float | None, repeat_for_s: float) -> dict[str, float]:
    """The options as the asset's config."""
    return {} if half_width is None else {"until_precise": half_width, "repeat_for_s": repeat_for_s}
