"""The terminal that a progress bar may be drawn on."""

from __future__ import annotations

import os
import sys
from typing import TextIO

TTY_VARIABLE = "EVALWATT_PROGRESS_TTY"  # a terminal to draw on where stderr is captured


def terminal() -> TextIO | None:
    """The terminal to draw a bar on; None where nobody is watching."""
    if sys.stderr.isatty():
        return sys.stderr
    path = os.environ.get(TTY_VARIABLE)
    if not path:
        return None
    try:
        return open(path, "w")
    except OSError:
        return None
