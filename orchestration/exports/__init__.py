"""Evaluations in the field's own file formats, one module per format.

Belongs here: turning evaluations (`published_runs`) into the text of files. Does not belong here: any other reading,
and figures that the marts have. A figure that is not known is absent from a file, with its reason where the format has
a place for one; it is never 0. File names are made of ids and hashes, never of a model's name.

A module has `files(runs, now)`: the files of some runs, and what the format cannot hold, as `Left`.
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
    """The files that hold `runs` in the format `form` of FORMATS; `now` is when they are made."""
    module = importlib.import_module(f"orchestration.exports.{form.replace('-', '_')}")
    yield from module.files(runs, now)
