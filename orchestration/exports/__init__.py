"""Evaluations in the field's own file formats, one module per format.

Belongs here: turning evaluations (`published_runs`) into files' texts. Does not belong here: any other reading, and
calculating what the marts have. An unknown figure is absent from a file, with its reason if the format has a place for
one; it is never 0. File names consist of ids and hashes, never of a model's name.

A module has `files(runs, now)`: the files for some runs, and what the format cannot hold, as `Left`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.exports.published_runs import File, Left, Run

FORMATS = ("lm-eval", "every-eval-ever", "boamps", "codecarbon")


def files(form: str, runs: Sequence[Run], now: datetime) -> Iterator[File | Left]:
    """The files for `runs` in the format `form`, one of FORMATS; `now` is the time of the export."""
    module = importlib.import_module(f"orchestration.exports.{form.replace('-', '_')}")
    yield from module.files(runs, now)
