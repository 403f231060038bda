"""Errors of the command line itself."""

from __future__ import annotations

import click


class WrongUse(click.ClickException):
    """The request cannot be carried out; the message says what to do instead. Exit code 2, without the usage lines."""

    exit_code = 2
