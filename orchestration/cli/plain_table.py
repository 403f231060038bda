"""Text tables for `evalwatt sql`, never cut to a width, because a pipe needs all of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def plain_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns; one value per line if the terminal is too narrow or a value has several lines."""
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    count = f"({len(rows)} row{'' if len(rows) == 1 else 's'})\n"
    too_wide = sys.stdout.isatty() and sum(widths) + 2 * len(widths) > shutil.get_terminal_size().columns
    if too_wide or any("\n" in cell for row in cells for cell in row):
        return _records(names, cells) + count
    numeric = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(names))]
    lines = [names, ["-" * width for width in widths], *cells]
    return "".join(_line(line, widths, numeric) for line in lines) + count


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    aligned = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cells, widths, numeric, strict=True)]
    return "  ".join(aligned).rstrip() + "\n"


def _records(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    width = max(map(len, names), default=0)
    blocks = ["".join(f"{n.ljust(width)}  {c}\n" for n, c in zip(names, row, strict=True)) for row in rows]
    return "".join(f"{block}\n" for block in blocks)


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
