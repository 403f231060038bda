"""The catalogue's field types, and the messages for invalid values.

Belongs here: what a name, a duration or a time of day is, and how a problem is reported in one sentence with its
remedy. Does not belong here: which fields there are and how they depend on each other (`entries`).
"""

from __future__ import annotations

import difflib
import re
import reprlib
import zoneinfo
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import ErrorDetails, PydanticCustomError

from evaluators.catalogue.lined_yaml import Location

Problem = tuple[Location, str]

DECIDED = "decided"

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_PART}(?:/{_PART})?")
_TASK = re.compile(rf"{_PART}_\({_PART}\)")  # five of lm-eval's: tmmluplus_education_(profession_level)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(MB|GB|TB)")
_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_WIDTH = re.compile(r"(?:±|\+-) ?(\d+(?:\.\d+)?) points?")
_WIDEST = 50.0  # points; from there on the interval is the whole scale
_PATTERNS = {  # what a field's pattern means
    "revision": "the commit's full sha, 40 characters of 0-9 and a-f",
    "package": "name==version",
    "file": "the path of a .gguf file inside the package",
    "country_iso_code": "three capital letters such as USA or DEU",
    "device": "auto, cpu, cuda, cuda:0 or mps",
}
_TYPES = {  # pydantic's error types for a value of the wrong type
    ("int_type", "int_parsing", "int_from_float"): "{} is not a whole number; write one, such as 3",
    ("float_type", "float_parsing"): "{} is not a number; write one, such as 0.5",
    ("bool_type", "bool_parsing"): "{} is neither true nor false; write one of the two",
    ("tuple_type", "list_type"): "{} is not a list; write [a, b], or one line `- a` per item",
    ("model_type", "model_attributes_type", "dict_type"): "{} is not a mapping; write one line `key: value` per field",
    ("too_short",): "empty; name at least one, or remove what needs it",
}


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or ".." in value:
        alphabet = "names have letters, digits, '.', '_', '-' and at most one '/'"
        edges = "no part starts or ends with '.' or '-', and none has '..'"
        problem = f"{value!r} is not a valid name: {alphabet}; {edges}; rename it"
        raise PydanticCustomError("name", "{problem}", {"problem": problem})
    return value


def _task_name(value: str) -> str:
    return value if _TASK.fullmatch(value) and ".." not in value else _name(value)


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):  # as pydantic writes it
        return value
    match = _DURATION.fullmatch(str(value))
    if not match:
        raise PydanticCustomError("duration", "not a duration; write a number and its unit, such as 90m, 6h or 30d")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def size(value: Any) -> Any:
    """Bytes from a number and its unit; raises PydanticCustomError for anything else."""
    if isinstance(value, int):  # as pydantic writes it
        return value
    match = _SIZE.fullmatch(str(value))
    if not match:
        raise PydanticCustomError("size", "not a size; write a number and its unit, such as 500MB, 200GB or 1.5TB")
    return round(float(match[1]) * _BYTES[match[2]])


def _until(value: Any) -> str:
    if value == DECIDED:
        return DECIDED
    match = _WIDTH.fullmatch(str(value))
    if match and 0 < float(match[1]) < _WIDEST:
        return f"±{float(match[1]):g} points"
    bare = re.fullmatch(r"-?(\d+(?:\.\d+)?)( points?)?", str(value))
    example = f"±{bare[1]} points" if bare and 0 < float(bare[1]) < _WIDEST else "±2 points"
    words = f"{value!r} is neither {DECIDED} nor a width; write {DECIDED}, or {example}"
    raise PydanticCustomError("until", "{problem}", {"problem": words})


def width_of(until: str) -> float | None:
    """The half-width in points that is asked for; None where it is to be decided which model is better."""
    return None if until == DECIDED else float(until.removeprefix("±").removesuffix(" points"))


def _clock(value: Any) -> str:
    if type(value) is int:  # YAML 1.1 reads an unquoted 12:30 as a number to base 60
        value = f"{value // 60:02d}:{value % 60:02d}"
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", str(value)):
        raise PydanticCustomError("clock", 'not a time of day; write it as "02:00"')
    return str(value)


def _zone(value: str) -> str:
    zones = zoneinfo.available_timezones()
    if value not in zones:
        raise PydanticCustomError(
            "zone", "{problem}", {"problem": f"not a known time zone{did_you_mean(value, zones)}"}
        )
    return value


Name = Annotated[str, AfterValidator(_name)]
TaskName = Annotated[str, AfterValidator(_task_name)]
Clock = Annotated[str, BeforeValidator(_clock)]
Zone = Annotated[str, AfterValidator(_zone)]
Size = Annotated[int, BeforeValidator(size)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Until = Annotated[str, BeforeValidator(_until)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them where they are few."""
    words = sorted(known)
    if near := nearest(word, words):
        return f"; did you mean {near}?"
    return f"; known: {', '.join(words)}" if len(words) <= 40 else "; look it up and spell it in full"


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that was probably meant; None where none is that similar (difflib's ratio, up to 1)."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=likeness)), None)


def misfit(field: str, problem: str) -> PydanticCustomError:
    """What a validator raises for a field that contradicts the others."""
    return PydanticCustomError("misfit", "{problem}", {"problem": problem, "field": field})


def problem(details: ErrorDetails, keys: Iterable[str]) -> Problem:
    """One of pydantic's errors, in our words where they say more. `keys` are those that are valid in the mapping."""
    location, kind, context = details["loc"], details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return location, f"unknown key{did_you_mean(str(location[-1]), keys)}"
    if kind == "missing":
        return location, "missing; add it"
    if kind == "literal_error":
        expected = re.findall(r"'([^']*)'", str(context["expected"]))
        found = details["input"]
        near = nearest(str(found), expected)
        remedy = f"; did you mean {near}?" if near else "; choose one"
        return location, f"{found!r} is not one of {', '.join(expected)}{remedy}"
    if kind == "misfit":
        return (*location, context["field"]), context["problem"]
    if kind == "string_type" and isinstance(details["input"], int | float | date):
        return location, f"YAML does not read {details['input']} as text; put it in quotes"
    for kinds, words in _TYPES.items():
        if kind in kinds:
            return location, words.format(reprlib.repr(details["input"]))
    if kind == "string_pattern_mismatch":
        wanted = _PATTERNS.get(str(location[-1]), str(context["pattern"]))
        return location, f"{details['input']!r} is not valid; write {wanted}"
    return location, details["msg"].removeprefix("Value error, ")
