"""The type of --until."""

from __future__ import annotations

from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from evaluators.catalogue import fields


class Until(click.ParamType[str]):
    name = "decided"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return TypeAdapter(fields.Until).validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"])
