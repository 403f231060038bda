"""Errors and warnings about documents, in messages that name the document.

lm-eval does not name a document that cannot be asked. Its stack does: some method of the task holds it at that moment.
Belongs here: finding the document, and reporting a warning once. Does not belong here: what follows from it.
"""

from __future__ import annotations

import itertools
import logging
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from lm_eval.api.task import Task

_log = logging.getLogger(__name__)
_LOGGERS = ("lm_eval", "evaluators")
_Key = tuple[str, int, str | None]  # file and line of the warning, and the task that it is about, if known
# lm-eval logs this for each custom data set: advice for its own command line, which is not used here.
_NOT_FOR_US = "Custom kwargs can be passed to `--metadata` in console"
_FOR_DEVELOPERS = (DeprecationWarning, FutureWarning, PendingDeprecationWarning)  # about a library's next version
_REMEDY = "correct the document, or the task file"


class UnusableDocument(Exception):
    """A document that cannot be asked; the message says what is wrong with it."""


def sentence(error: BaseException) -> str:
    """An exception's first line, with its type and, where known, the document it is about."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    at = _place(reversed(frames))
    first = next(itertools.chain(str(error).strip().splitlines(), [""]))
    words = f"{type(error).__name__}: {first}" if first else type(error).__name__
    if at is None:
        return words
    if isinstance(error, UnusableDocument):
        words = first
    elif at.is_first:  # lm-eval tries a task's first document when it loads the task
        words = next(_faults(at.task, at.document), words)
    field = "" if at.field is None else f", {at.field}"
    return f"{at.name}{field}: {words}; {_REMEDY}"


def examine(task: Task, limit: int | None) -> None:
    """Read each document as lm-eval will, which reads some fields only after the answers, when the energy is used.

    Raises UnusableDocument for choices and labels that lm-eval cannot score, and whatever the task's fields raise.
    """
    for _, doc in task.doc_iterator(limit=limit):
        target = task.doc_to_target(doc)
        if task.OUTPUT_TYPE != "multiple_choice":
            continue
        choices = task.doc_to_choice(doc)
        if (fault := next(_choice_faults(choices), None)) is not None:
            raise UnusableDocument(fault)
        if task.get_config("process_results") is not None:
            continue  # the task scores the document itself and defines its own label
        label = task.doc_to_text(doc) if getattr(task, "multiple_input", 0) else target
        if not isinstance(label, str | list) and not hasattr(label, "__index__"):
            raise UnusableDocument(f"no label (it is {label!r})")
        if isinstance(label, int) and label < 0:  # lm-eval itself warns only of a label beyond the choices
            _log.warning("the label %d is not one of the %d choices, so no answer can be right", label, len(choices))


class Warnings(logging.Handler):
    """Warnings of lm-eval, the engines and Python, collected and reported once per task, with their number."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._heard: dict[_Key, _Warning] = {}
        self._said: set[tuple[str, _Key]] = set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Collect warnings from here on, instead of printing them one by one."""
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        with warnings.catch_warnings():
            warnings.showwarning = self._show
            for logger in loggers:
                logger.addHandler(self)
            try:
                yield
            finally:
                for logger in loggers:
                    logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Handle a record of one of the loggers."""
        text = record.getMessage()
        if _NOT_FOR_US not in text:
            speaker = {"lm_eval": "lm-eval"}.get(record.name.partition(".")[0])
            self._hear(record.pathname, record.lineno, speaker, text)

    def take(self, about: str) -> list[str]:
        """The warnings since the last call that were not reported for the same task before, a sentence each."""
        heard, self._heard = self._heard, {}
        new = [(warning.about or about, key, warning) for key, warning in heard.items()]
        new = [found for found in new if found[:2] not in self._said]
        self._said |= {found[:2] for found in new}
        return [f"{of}: {warning}" for of, _, warning in new]

    def _show(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
    ) -> None:
        if not issubclass(category, _FOR_DEVELOPERS):
            self._hear(filename, lineno, category.__name__, str(message))

    def _hear(self, file: str, line: int, speaker: str | None, text: str) -> None:
        at = _place(frame for frame, _ in traceback.walk_stack(None))
        key = file, line, None if at is None else str(at.task.task_name)
        if key not in self._heard:
            self._heard[key] = _Warning(speaker, text.strip().partition("\n")[0], at)
        self._heard[key].times += 1


@dataclass(slots=True)
class _Warning:
    """The first warning that a line of code issued about a task."""

    speaker: str | None
    text: str
    at: _Place | None
    times: int = 0

    @property
    def about(self) -> str | None:
        return None if self.at is None else str(self.at.task.task_name)

    def __str__(self) -> str:
        words = [self.speaker] if self.speaker is not None else []
        if self.times > 1:
            words.append(f"{self.times} times")
        if self.at is not None:
            words.append(f"{'first at' if self.times > 1 else 'at'} {self.at.name}")
        return f"{', '.join(words)}: {self.text}" if words else self.text


@dataclass(frozen=True, slots=True)
class _Place:
    """A document, and the task's field that was being read for it, if any."""

    task: Task
    document: Mapping[str, Any]
    field: str | None
    is_first: bool

    @property
    def name(self) -> str:
        number = next((i for i, doc in enumerate(self.task.eval_docs) if doc == self.document), None)
        return "a few-shot example" if number is None else f"document {number} (counted from 0)"


def _place(innermost_first: Iterable[FrameType]) -> _Place | None:
    """The document that a task is working on, from the local variables of its methods."""
    for frame in innermost_first:
        names = frame.f_locals
        task = names.get("task" if frame.f_globals is globals() else "self")
        document = names.get("doc", names.get("test_doc"))
        if isinstance(task, Task) and isinstance(document, Mapping):
            function = frame.f_code.co_name
            is_field = function.startswith("doc_to_") or function == "process_results"
            return _Place(task, document, function if is_field else None, "test_doc" in names)
    return None


def _faults(task: Task, doc: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a document of a task that lm-eval cannot load."""
    choices, target = task.doc_to_choice(doc), task.doc_to_target(doc)
    yield from _choice_faults(choices)
    if isinstance(target, int) and not 0 <= target < len(choices):
        yield f"the label {target} (doc_to_target) is not one of its {len(choices)} choices"
    if "" in choices:
        yield "an empty choice (doc_to_choice), which lm-eval does not accept in a task's first document"


def _choice_faults(choices: Any) -> Iterator[str]:
    if choices is None or not len(choices):
        yield f"no choices (doc_to_choice gives {choices!r})"
    elif wrong := [choice for choice in choices if not isinstance(choice, str)]:
        yield f"a choice that is not text (doc_to_choice gives {wrong[0]!r})"
