"""A suite's tasks, as lm-eval loads them and as the suite configures them.

Belongs here: what is known about a task before it is asked. Does not belong here: asking it (`asking`), or its
scores (`outcomes`).
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import json
import re
import statistics
import sys
import types
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import lm_eval.utils
from lm_eval.api.group import Group
from lm_eval.api.task import Task
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import Kind

from evaluators.catalogue.entries import SuiteEntry, TaskEntry
from evaluators.harness import complaints, punkt
from evaluators.hashing import digest

# The location of the data does not change what a task asks: its documents are hashed instead.
_NOT_IN_TASK_HASH = {"dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset", "metadata", "num_fewshot"}
_HUB_METRICS = "metrics from the hub are code and never run; use one of lm-eval's, or write a `!function`"
_AGGREGATIONS = "use one of lm-eval's, such as mean, or write a `!function`"
_WITH_PASSAGES = ("leaderboard_musr_",)  # what tasks whose documents share passages have in their names
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class TaskUnavailable(Exception):
    """A task that cannot be loaded here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A leaf task as its suite asks it: `weight` is its share of the suite's score, `chance` the score by guessing."""

    name: str
    task: Task
    num_fewshot: int
    limit: int | None
    apply_chat_template: bool
    metric: str
    filter: str
    binary: bool | None  # None: decided by the values
    weight: float
    chance: float
    task_hash: str
    entry: TaskEntry  # the suite's entry: the task itself, or the group that it belongs to

    @property
    def group(self) -> str | None:
        """The entry's name where the entry is a group or a tag, not the task itself."""
        return self.entry.task if self.entry.task != self.name else None

    @property
    def version(self) -> str:
        return str(self.task.VERSION)

    @property
    def higher_is_better(self) -> bool:
        """Of the primary metric."""
        return self.task.higher_is_better().get(self.metric) is not False

    @property
    def shares_passages(self) -> bool:
        """Whether several documents ask about one passage, so that they are right or wrong together."""
        return any(words in self.name for words in _WITH_PASSAGES)

    @property
    def documents(self) -> int:
        return min(len(self.task.eval_docs), self.limit or len(self.task.eval_docs))

    def identity(self) -> dict[str, Any]:
        """The task's part of a fingerprint."""
        return {
            "task": self.name,
            "task_hash": self.task_hash,
            "task_version": self.version,
            "num_fewshot": self.num_fewshot,
            "limit": self.limit,
            "apply_chat_template": self.apply_chat_template,
            "metric": [self.metric, self.filter, self.binary],
            "chance": self.chance,
            "harness_version": version("lm-eval"),
        }


class Harness:
    """lm-eval with its own tasks, our tasks, and those in the suite's folder."""

    def __init__(self, suite: SuiteEntry, root: Path, nltk_data: Path) -> None:
        _keep_hub_metrics_out()
        _compile_templates_once()
        folders = [folder.resolve() for folder in suite.task_folders(root)]
        for folder in folders:
            if not folder.is_dir():
                raise TaskUnavailable(f"suite {suite.name}: include_path {folder} is not a folder; correct it")
        self._suite = suite
        self._root = root
        self._nltk_data = nltk_data
        self._folders = [str(folder) for folder in folders]
        # lm-eval's index of its own 12,000 tasks takes seconds, and most suites need only the folders.
        self._near = TaskManager(include_path=self._folders, include_defaults=False)

    def load(self, model_uses_template: bool) -> tuple[list[LoadedTask], dict[str, str]]:
        """The suite's leaf tasks, and the reason for each entry or leaf that cannot be loaded.

        Raises TaskUnavailable where two entries name the same task, which could have only one of their weights.
        """
        punkt.offer(self._nltk_data)
        # Relative data paths in task files start from the catalogue's folder, wherever the daemon was started.
        with contextlib.chdir(self._root):
            return self._load(model_uses_template)

    def _load(self, model_uses_template: bool) -> tuple[list[LoadedTask], dict[str, str]]:
        loaded: dict[str, LoadedTask] = {}
        failures: dict[str, str] = {}
        named: dict[str, str] = {}
        for entry in self._suite.tasks:
            try:
                members = self._members(entry)
            except TaskUnavailable as error:
                failures[entry.task] = str(error)
                continue
            leaves = {str(leaf.task_name): leaf for leaf in _leaves(members)}
            for name in leaves:
                if name in named:
                    raise TaskUnavailable(self._named_twice(name, named[name], entry.task))
                named[name] = entry.task
            asked: dict[str, LoadedTask] = {}
            for name, leaf in leaves.items():
                try:
                    asked[name] = self._as_asked(entry, leaf, model_uses_template)
                except TaskUnavailable as error:
                    failures[name] = str(error)
                except Exception as error:  # an unusable document fails its task, not the others
                    failures[name] = f"task {name} cannot be asked: {complaints.sentence(error)}"
            shares = _shares(members, asked, entry.members)
            loaded |= {
                name: replace(task, weight=float(Fraction(entry.weight) * shares[name])) for name, task in asked.items()
            }
        return list(loaded.values()), failures

    def unknown(self) -> list[str]:
        """Messages about the suite's entries that name no existing task or group. Loads no task and no data."""
        names = [entry.task for entry in self._suite.tasks if entry.task not in self._near.task_index]
        return [self._no_such_task(name) for name in names if name not in self._all.task_index]

    def named_twice(self) -> list[str]:
        """Messages about the tasks that two entries name. Loads no task and no data."""
        found, named = [], dict[str, str]()
        for entry in self._suite.tasks:
            for name in sorted(set(self._leaf_names(entry.task))):
                if name in named:
                    found.append(self._named_twice(name, named[name], entry.task))
                named.setdefault(name, entry.task)
        return found

    @property
    def _all(self) -> TaskManager:
        return _index(tuple(self._folders))

    def _members(self, entry: TaskEntry) -> Sequence[Task | Group]:
        """What the entry names: a task, a group, or the tasks of a tag."""
        if entry.task in self._near.task_index:
            # It fails where a group names lm-eval's own tasks; any other error occurs again with the full index.
            with contextlib.suppress(Exception):
                return _load(self._near, entry.task)
        if entry.task not in self._all.task_index:
            raise TaskUnavailable(self._no_such_task(entry.task))
        try:
            return _load(self._all, entry.task)
        except Exception as error:  # whatever a task file or its data set raises fails the task, not the others
            raise TaskUnavailable(f"task {entry.task} cannot be loaded: {complaints.sentence(error)}") from error

    def _leaf_names(self, name: str) -> Iterator[str]:
        """The names of the tasks behind a name, according to the task files."""
        found = self._near.task_index.get(name) or self._all.task_index.get(name)
        if found is None or found.kind not in (Kind.GROUP, Kind.TAG):
            yield name
        elif found.kind is Kind.TAG:
            yield from found.tags
        else:
            yield from self._member_names(found.cfg or {})

    def _member_names(self, group: Mapping[str, Any]) -> Iterator[str]:
        members = group.get("task") or ()
        for member in [members] if isinstance(members, str) else members:
            if isinstance(member, str):
                yield from self._leaf_names(member)
            elif isinstance(member.get("task"), list):  # a group inside this one's file
                yield from self._member_names(member)
            else:
                yield from self._leaf_names(member.get("task") or member["group"])

    def _named_twice(self, task: str, first: str, second: str) -> str:
        ways = [f"by the group {name}" if name != task else "by its own name" for name in (first, second)]
        return f"the task {task} is listed twice, {' and '.join(ways)}; remove one"

    def _no_such_task(self, name: str) -> str:
        close = difflib.get_close_matches(name, self._all.task_index, n=3)
        remedy = f"did you mean {' or '.join(close)}?" if close else "set include_path to a folder of task files"
        return f"lm-eval has no task or group {name!r}; {remedy}"

    def _as_asked(self, entry: TaskEntry, task: Task, model_uses_template: bool) -> LoadedTask:
        suite = self._suite
        if unknown := [name for name, function in _metric_functions(task).items() if function is None]:
            names = ", ".join(unknown)
            raise TaskUnavailable(f"task {task.task_name}: lm-eval does not know the metric {names}; {_HUB_METRICS}")
        if unknown := [name for name, function in task.aggregation().items() if function is None]:
            names = ", ".join(unknown)
            raise TaskUnavailable(
                f"task {task.task_name}: lm-eval does not know the aggregation of {names}; {_AGGREGATIONS}"
            )
        # As in lm-eval: a task that sets zero shots keeps them, and one that sets none gets zero by default.
        shots, wanted = task.get_config("num_fewshot"), _first(entry.num_fewshot, suite.num_fewshot)
        if shots is None or (wanted is not None and shots != 0):
            task.set_config(key="num_fewshot", value=wanted or 0)
        metric, filter_name = _primary(entry, task)
        limit = _first(entry.limit, suite.limit)
        complaints.examine(task, limit)
        return LoadedTask(
            name=str(task.task_name),
            task=task,
            num_fewshot=int(task.get_config("num_fewshot")),
            limit=limit,
            apply_chat_template=bool(_first(entry.apply_chat_template, suite.apply_chat_template, model_uses_template)),
            metric=metric,
            filter=filter_name,
            binary=entry.binary,
            weight=entry.weight,
            chance=entry.chance if entry.chance is not None else _chance(task, limit),
            task_hash=_task_hash(task, limit),
            entry=entry,
        )


def _keep_hub_metrics_out() -> None:
    """Replace the package `evaluate`, which lm-eval asks for unknown metrics and which runs downloaded code."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise TaskUnavailable(_HUB_METRICS)

    instead = types.ModuleType("evaluate")
    instead.load = refuse  # type: ignore[attr-defined]
    sys.modules["evaluate"] = instead


def _compile_templates_once() -> None:
    """Keep compiled Jinja templates, which lm-eval compiles again for each use in each document.

    A compiled template renders the same text. Measured on `mini`: 0.4 s instead of 2 s between the inferences of two
    tasks of 200 documents.
    """
    compiled = lm_eval.utils.env.from_string
    if not hasattr(compiled, "cache_info"):
        lm_eval.utils.env.from_string = functools.lru_cache(maxsize=1024)(compiled)


@functools.cache
def _index(folders: tuple[str, ...]) -> TaskManager:
    """lm-eval's own tasks and those in the folders; suites with the same folders share the index."""
    return TaskManager(include_path=list(folders))


def _load(tasks: TaskManager, name: str) -> Sequence[Task | Group]:
    found = tasks.load([name])
    group = found.get("groups", {}).get(name)
    return list(found["tasks"].values()) if group is None else [group]


def _leaves(members: Iterable[Task | Group]) -> list[Task]:
    """The tasks of nested groups; one that occurs twice counts twice, as in lm-eval."""
    return [leaf for m in members for leaf in (m.get_all_tasks() if isinstance(m, Group) else [m])]


def _shares(
    members: Collection[Task | Group], asked: Mapping[str, LoadedTask], rule: str | None
) -> dict[str, Fraction]:
    """Each task's share of the members' total weight: by the rule over all their tasks; without a rule, members have
    equal shares and divide them by their own rules."""
    if rule is not None:
        names = [name for leaf in _leaves(members) if (name := str(leaf.task_name)) in asked]
        sizes = [asked[name].documents if rule == "by_size" else 1 for name in names]
        parts = zip(names, sizes, strict=True)
        return _summed((name, Fraction(size, sum(sizes) or 1)) for name, size in parts)
    own = [
        _shares(list(member), asked, _aggregation(member, asked))
        if isinstance(member, Group)
        else {str(member.task_name): Fraction(1)}
        for member in members
    ]
    return _summed((name, share / len(members)) for shares in own for name, share in shares.items())


def _aggregation(group: Group, asked: Mapping[str, LoadedTask]) -> str | None:
    """How lm-eval aggregates the group's score from all its tasks, including those of nested groups; None where it
    aggregates nothing for their metric."""
    scores = {
        (asked[name].metric, asked[name].filter) for leaf in _leaves([group]) if (name := leaf.task_name) in asked
    }
    for metric, filter_name in scores if len(scores) == 1 else ():
        for aggregated in group.aggregate_metric_list or ():
            if aggregated.metric == metric and filter_name in (aggregated.filter_list or [filter_name]):
                return "by_size" if aggregated.weight_by_size else "evenly"
    return None


def _summed(shares: Iterable[tuple[str, Fraction]]) -> dict[str, Fraction]:
    total: defaultdict[str, Fraction] = defaultdict(Fraction)
    for name, share in shares:
        total[name] += share
    return total


def _metric_functions(task: Task) -> dict[str, Any]:
    """The functions that score the task's documents; empty where the task scores them itself."""
    return {} if task.get_config("process_results") is not None else task._metric_fn_list


def _primary(entry: TaskEntry, task: Task) -> tuple[str, str]:
    """The metric and filter of the task's score: those that the suite names, else the first that the task lists."""
    filters = [f["name"] for f in task.get_config("filter_list") or ()] or ["none"]
    metric, _, filter_name = (entry.primary or next(iter(task.higher_is_better()))).partition(",")
    return metric, filter_name or filters[0]


def _chance(task: Task, limit: int | None) -> float:
    """The expected score by guessing: 1 / number of choices, averaged over documents; 0 for free text."""
    if task.OUTPUT_TYPE != "multiple_choice":
        return 0.0
    return statistics.fmean(1 / len(task.doc_to_choice(doc)) for _, doc in task.doc_iterator(limit=limit))


def _task_hash(task: Task, limit: int | None) -> str:
    """sha-256 over the task's definition, the documents asked, and the documents that few-shot examples come from."""
    config = {key: value for key, value in task.dump_config().items() if key not in _NOT_IN_TASK_HASH}
    asked = [doc for _, doc in task.doc_iterator(limit=limit)]
    shots: Iterable[Any] = task.fewshot_docs() or () if task.get_config("num_fewshot") else ()
    text = json.dumps([config, asked, list(shots)], sort_keys=True, default=_source, ensure_ascii=False)
    return digest(_ADDRESS.sub("", text))


def _source(value: Any) -> str:
    """A function by its source, anything else by its description."""
    try:
        return inspect.getsource(value)
    except (TypeError, OSError):
        return str(value)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
