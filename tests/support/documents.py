"""The commands that stand in the documents, as a reader would copy them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("evalwatt", "make", "python", "duckdb", "cp")
_NEEDS = re.compile(r"\bneeds (?P<what>[^;.)]+)")


@dataclass(frozen=True)
class Command:
    """A command of a code block. `needs`: what its comment says that it needs beyond this project, such as the hub."""

    document: str
    line: int
    text: str
    needs: str | None

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def commands() -> list[Command]:
    """Every command of every document, in the order in which one reads them."""
    return [command for document in DOCUMENTS for command in _of(document)]


def _of(document: Path) -> Iterator[Command]:
    lines = list(_code_lines(document.read_text(encoding="utf-8")))
    name = document.relative_to(ROOT).as_posix()
    while lines:
        number, text = lines.pop(0)
        text = text.removeprefix("$ ")
        if not text.startswith(tuple(f"{program} " for program in PROGRAMS)):
            continue
        while lines and (text.endswith("\\") or not _closed(text)):
            text = text.removesuffix("\\") + " " + lines.pop(0)[1].strip()
        command, _, comment = text.partition("  #")
        needs = _NEEDS.search(comment)
        yield Command(name, number, command.strip(), needs["what"].strip() if needs else None)


def _code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines of fenced blocks, and of blocks that are indented by four blanks."""
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield number, line
        elif line.startswith("    "):
            yield number, line.strip() if line[4:].startswith("  ") else line[4:]


def _closed(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True
