"""YAML that keeps line numbers, so that an error can name its line.

Belongs here: reading one YAML file into plain data, refusing duplicate keys, finding the line of a value. Does not
belong here: what the data mean (`entries`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

Location = Sequence[str | int]


class YamlError(Exception):
    """The text is not YAML that we can read; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class LinedYaml:
    """Plain data (`data`) and the lines of its values."""

    def __init__(self, text: str) -> None:
        """Raises YamlError for text that is not YAML, for duplicate keys and for values that YAML cannot build."""
        try:
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            for duplicate, first in _duplicates(self._root, set()):
                message = f"the key {duplicate.value!r} is already in line {_line(first)}; keep one of the two"
                raise YamlError(_line(duplicate), message)
            self.data: Any = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise YamlError(line, f"this is not valid YAML: {error.problem}; correct the line") from None
        except (yaml.YAMLError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise YamlError(1, f"this is not valid YAML: {reason}; save the file as plain UTF-8 YAML") from None

    def line(self, location: Location) -> int:
        """The line of the value at `location`, or of the nearest enclosing one that exists."""
        node, line = self._root, 1
        for part in location:
            found: yaml.Node | None = None
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        line, found = _line(key), value
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = node.value[part]
                line = _line(found)
            if found is None:
                break
            node = found
        return line


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _duplicates(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Keys that occur twice in one mapping, each with its first occurrence. `seen` stops recursion through aliases."""
    if node is None or id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for member in node.value:
            yield from _duplicates(member, seen)
        return
    keys: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in keys and name != "<<":
            yield key, keys[name]
        keys[name] = key
        yield from _duplicates(value, seen)
