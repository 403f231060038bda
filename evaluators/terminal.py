"""Where a bar may be drawn."""

from __future__ import annotations

import os
import sys
from typing import TextIO

TTY_VARIABLE = "EVALWATT_PROGRESS_TTY"  # a terminal to draw on where stderr is captured


def terminal() -> TextIO | None:
    """Where a bar may be drawn; None where nobody watches."""
    if sys.stderr.isatty():
        return sys.stderr
    path = os.environ.get(TTY_VARIABLE)
    if not path:
        return None
    try:
        return open(path, "w")
    except OSError:
        return None
