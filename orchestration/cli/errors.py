"""Errors of the command line itself."""

from __future__ import annotations

import click


class WrongUse(click.ClickException):
    """What was asked for cannot be done, and the message says what can; exit code 2, without the usage lines."""

    exit_code = 2
