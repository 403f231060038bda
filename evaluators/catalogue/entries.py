"""What is evaluated: `catalogue.yml`, read and validated.

Belongs here: the fields of the catalogue, their meaning, and every check that needs nothing but the file. Does not
belong here: fetching a model (`models`), or asking lm-eval whether a task exists (`harness`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from evaluators.catalogue.fields import (
    Clock,
    Duration,
    Name,
    Problem,
    Size,
    TaskName,
    Until,
    Zone,
    did_you_mean,
    misfit,
    nearest,
    problem,
    width_of,
)
from evaluators.catalogue.lined_yaml import LinedYaml, Location, YamlError
from evaluators.catalogue.margins import default_margin
from evaluators.catalogue.until import Reference, misfits, reference_of, without_reference

OUR_TASKS = Path(__file__).parent.parent / "tasks"
UNKNOWN_BASE = "unknown"
KINDS_WITH_BASE = ("continued", "instruct", "fine_tuned", "merge", "adapter")

# Of a suite: how much it asks, and not what. In no key and no version, because plans compare it with what is landed.
HOW_MUCH: dict[str, Any] = {
    "until": True,
    "compare_with": True,
    "margin": True,
    "tasks": {"__all__": {"until"}},
}

_SOURCE_FIELDS = {"hub": ("repo", "revision"), "path": ("path",), "package": ("package", "file"), "recipe": ("recipe",)}
_NEEDS = "it needs the sections suites and models, as the repository's catalogue.yml has them"

_Found = TypeVar("_Found")


class CatalogueError(Exception):
    """The catalogue cannot be used; the message has one line per problem, with its place and remedy."""


def _task(value: Any) -> Any:
    return {"task": value} if isinstance(value, str) else value


class Entry(BaseModel):
    """Base of everything in the catalogue: unknown keys are errors, and entries are immutable.

    Plan keys and suite versions are hashes over an entry's fields. A field added after version 0.1.0 is listed in
    `later` and left out of every dump while it has its default, so that an upgrade makes nothing due.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        unsaid = {name for name in self.later if getattr(self, name) == fields[name].default}
        return {name: value for name, value in dump(self).items() if name not in unsaid}


class ControlEntry(Entry):
    """The workload that shows each night whether the machine is still the same: a model and one of its suites."""

    model: Name
    suite: Name = "mini"


class Settings(Entry):
    """How this machine evaluates and when; everything has a default."""

    machine_id: str | None = None
    time_zone: Zone = "UTC"
    nightly_at: Clock = "02:00"
    deadline: Duration = timedelta(hours=6)
    country_iso_code: str = Field(default="USA", pattern="^[A-Z]{3}$")
    region: str | None = None
    grid_intensity_g_per_kwh: float | None = Field(default=None, ge=0)  # None: codecarbon's figure for the country
    pue: float = Field(default=1.0, ge=1)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")
    threads: int | None = Field(default=None, ge=1)
    meter: Literal["codecarbon", "none"] = "codecarbon"
    idle_s: float = Field(default=10.0, ge=0)
    keep_versions: int = Field(default=5, ge=1)
    keep_runs: Duration = timedelta(days=90)  # Dagster's own history; what is landed is kept for ever
    hub_cache_limit: Size | None = Field(default=None, ge=0)  # bytes; None: the hub's cache has no limit
    seed: int = Field(default=1234, ge=0)
    notification: tuple[Literal["log", "webhook", "email"], ...] = ("log",)  # where a night's message goes; log: always
    control: ControlEntry | None = None  # evaluated first each scheduled night; None: no control workload


class TaskEntry(Entry):
    """A task or group of lm-eval inside a suite. None: the suite's value, or else the one of lm-eval's task."""

    later: ClassVar[frozenset[str]] = frozenset({"members", "scale", "until"})

    task: TaskName
    primary: str | None = None  # the metric that is the task's score, "metric" or "metric,filter"
    binary: bool | None = None  # whether the metric marks each document correct or not; None: decided by its values
    chance: float | None = Field(
        default=None, ge=0, lt=1
    )  # score by guessing, as a share of the scale; None: from the number of choices, else 0
    scale: float | None = Field(
        default=None, gt=0
    )  # the metric's maximum, such as 1 or 100, counted from 0; None: by its name
    weight: float = Field(default=1.0, ge=0)  # of the entry in the suite's score, shared by a group's tasks
    # How a group's tasks share it; None: as lm-eval aggregates the group, or evenly by member where it does not.
    members: Literal["by_size", "evenly"] | None = None
    num_fewshot: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, ge=1)  # documents
    apply_chat_template: bool | None = None
    until: Until | None = None  # how much of each of its tasks is asked; None: as the suite says, or everything


class SuiteEntry(Entry):
    """Tasks that together give one score; `num_fewshot`, `limit` and `apply_chat_template` are their defaults."""

    later: ClassVar[frozenset[str]] = frozenset({"until", "compare_with", "margin"})

    name: Name
    description: str
    include_path: str | None = None  # a folder of lm-eval task files, relative to the catalogue
    tasks: tuple[Annotated[TaskEntry, BeforeValidator(_task)], ...] = Field(min_length=1)
    num_fewshot: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, ge=1)
    apply_chat_template: bool | None = None
    repetitions: int = Field(default=1, ge=1)  # of each task; an energy needs three for an interval
    until: Until | None = None  # decided: ask until it is known which model is better; None: everything
    compare_with: Name = "base"  # base, last (the newest earlier version of the model), or a model's name
    margin: float | None = Field(default=None, gt=0)  # points within which two scores are equivalent; None: the seed's

    @property
    def margin_points(self) -> float:
        return default_margin("score") if self.margin is None else self.margin

    def task_folders(self, root: Path) -> list[Path]:
        """Where its task files may be: our folder, and its own. `root`: the catalogue's folder."""
        return [OUR_TASKS] if self.include_path is None else [OUR_TASKS, root / self.include_path]


class BudgetEntry(Entry):
    """A model's night budget, for all its suites together; None: no limit."""

    time: Duration | None = None
    energy_kwh: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _limits_something(self) -> BudgetEntry:
        if self.time is None and self.energy_kwh is None:
            raise ValueError("sets neither time nor energy_kwh; set one, such as time: 90m, or remove it")
        return self


class ModelEntry(Entry):
    """A model: where it comes from, what it descends from, how it is loaded and what it is asked."""

    name: Name
    source: Literal["hub", "path", "package", "recipe"]
    repo: Name | None = None  # hub: the repository
    revision: str | None = Field(default=None, pattern="^[0-9a-f]{40}$")  # hub: the commit
    path: str | None = None  # path: a folder, or a GGUF file, relative to the catalogue
    package: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+$")  # package: name==version
    file: str | None = Field(default=None, pattern=r"\.gguf$")  # package: its GGUF file
    recipe: str | None = None  # recipe: a script that trains an adapter of base_model, relative to the catalogue
    base_model: Name | None = None  # another entry, a hub name, or `unknown`
    family: str
    provider: Literal["official", "community", "own"]
    kind: Literal["pretrained", "continued", "instruct", "fine_tuned", "merge", "adapter", "other"]
    params_b: float | None = Field(default=None, gt=0)
    active_params_b: float | None = Field(default=None, gt=0)
    quantization: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # auto: see machine.native_dtype
    chat_template: bool = False  # used where neither task nor suite sets apply_chat_template
    engine: Literal["shared-prefix", "transformers", "vllm"] = "shared-prefix"
    batch_size: int = Field(default=16, ge=1)
    suites: tuple[Name, ...] = Field(min_length=1)
    refresh_every: Duration | None = None  # None: once evaluated, never due again
    budget: BudgetEntry | None = None  # a run that exceeds it is stopped and continues the next night
    retired: str | None = Field(default=None, min_length=1)  # why it is never evaluated again; its history stays

    @model_validator(mode="after")
    def _fields_fit(self) -> ModelEntry:
        for source, fields in _SOURCE_FIELDS.items():
            for field in fields:
                if source == self.source and getattr(self, field) is None:
                    raise misfit(field, f"missing; source: {source} needs {' and '.join(fields)}")
                if source != self.source and getattr(self, field) is not None:
                    raise misfit(field, f"belongs to source: {source}, not source: {self.source}; remove it")
        if self.kind in KINDS_WITH_BASE and self.base_model is None:
            remedy = f"name another entry, a hub model, or write base_model: {UNKNOWN_BASE}"
            raise misfit("base_model", f"missing lineage: a model of kind {self.kind} has a base; {remedy}")
        if self.kind == "pretrained" and self.base_model is not None:
            raise misfit("base_model", "a pretrained model has no base; remove it or choose another kind")
        if self.active_params_b is not None and (self.params_b is None or self.active_params_b > self.params_b):
            raise misfit("active_params_b", "needs a params_b that is at least as large; state both, in billions")
        return self


@dataclass(frozen=True)
class Catalogue:
    """A valid catalogue. `path` is its file; relative paths in it start from the file's folder."""

    path: Path
    settings: Settings
    suites: dict[str, SuiteEntry]
    models: tuple[ModelEntry, ...]

    def model(self, name: str) -> ModelEntry:
        """Raises CatalogueError, naming the known ones, for a name that is not in the catalogue."""
        return _lookup("model", name, {entry.name: entry for entry in self.models})

    def suite(self, name: str) -> SuiteEntry:
        """Raises CatalogueError, naming the known ones, for a name that is not in the catalogue."""
        return _lookup("suite", name, self.suites)

    def reference(self, entry: ModelEntry, suite: SuiteEntry) -> Reference:
        """The model whose answers decide how much of the suite the entry is asked, or why there is none."""
        return reference_of(entry, suite, {model.name: model for model in self.models})

    def asked_until(self, words: str) -> Catalogue:
        """The catalogue with another `until` in all its suites: of the suite, or of each task where it is a width.

        Raises CatalogueError where a suite does not allow that.
        """
        whole = words if width_of(words) is None else None
        each = words if whole is None else None
        suites = {}
        for name, suite in self.suites.items():
            tasks = tuple(task.model_copy(update={"until": each}) for task in suite.tasks)
            suites[name] = suite.model_copy(update={"until": whole, "tasks": tasks})
        if problems := [(name, text) for name, suite in suites.items() for _, text in misfits(suite)]:
            raise CatalogueError("\n".join(f"suite {name}: {text}" for name, text in problems))
        return replace(self, suites=suites)

    def compared_with(self, reference: str, margin: float | None = None) -> Catalogue:
        """The catalogue with another reference in all its suites and, where one is given, another margin in points."""
        update = {"compare_with": reference} | ({} if margin is None else {"margin": margin})
        return replace(self, suites={name: suite.model_copy(update=update) for name, suite in self.suites.items()})

    def lineage(self, entry: ModelEntry) -> Iterator[ModelEntry]:
        """The entries that `base_model` leads to, nearest first; there are no cycles."""
        entries = {model.name: model for model in self.models}
        while entry.base_model in entries:
            entry = entries[entry.base_model]
            yield entry

    def needed(self) -> dict[str, ModelEntry]:
        """The entries that may still be loaded, by name: those that are not retired, and what they descend from."""
        living = [entry for entry in self.models if entry.retired is None]
        return {needed.name: needed for entry in living for needed in (entry, *self.lineage(entry))}


class _Document(Entry):
    settings: Settings = Settings()
    suites: dict[str, SuiteEntry] = Field(min_length=1)
    models: tuple[ModelEntry, ...] = Field(min_length=1)


def load(path: Path) -> Catalogue:
    """Read and validate a catalogue. Raises CatalogueError that lists all problems found."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CatalogueError(f"{path}: file not found; copy the repository's catalogue.yml there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: cannot be read ({error}); it must be a readable UTF-8 text file") from None
    try:
        source = LinedYaml(text)
    except YamlError as error:
        raise CatalogueError(f"{path.name}:{error.line}: {error}") from None
    if not source.data:
        raise CatalogueError(f"{path.name}:1: the catalogue is empty; {_NEEDS}")
    if not isinstance(source.data, dict):
        raise CatalogueError(f"{path.name}:1: the catalogue is not a mapping; {_NEEDS}")
    try:
        document = _Document.model_validate(_with_suite_names(source.data))
    except ValidationError as error:
        problems = [problem(details, _keys_around(details["loc"])) for details in _without_echoes(error.errors())]
        raise _failure(path, source, problems) from None
    if problems := list(_contradictions(document)):
        raise _failure(path, source, problems)
    return Catalogue(path.absolute(), document.settings, document.suites, document.models)


def _lookup(what: str, name: str, known: Mapping[str, _Found]) -> _Found:
    if name not in known:
        raise CatalogueError(f"there is no {what} {name!r} in the catalogue{did_you_mean(name, known)}")
    return known[name]


def _without_echoes(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The findings without those that only follow from another one."""
    unknown = [details["loc"] for details in errors if details["type"] == "extra_forbidden"]
    meant = {(*loc[:-1], nearest(str(loc[-1]), _keys_around(loc))) for loc in unknown}
    for details in errors:
        if details["type"] == "too_short" and details["input"]:
            continue  # pydantic also calls a list of invalid members empty
        if details["type"] == "missing" and details["loc"] in meant:
            continue  # a misspelt key is reported once, as unknown
        yield details


def _with_suite_names(data: dict[str, Any]) -> dict[str, Any]:
    suites = data.get("suites")
    if not isinstance(suites, dict):
        return data
    named = {key: {"name": key, **body} if isinstance(body, dict) else body for key, body in suites.items()}
    return {**data, "suites": named}


def _contradictions(document: _Document) -> Iterator[Problem]:
    """Problems that span entries: names that are used twice, refer to nothing, or form a cycle."""
    models: dict[str, ModelEntry] = {}
    for i, entry in enumerate(document.models):
        if entry.name in models:
            yield ("models", i, "name"), f"another model is already called {entry.name}; give each its own name"
        models.setdefault(entry.name, entry)
    for key, suite in document.suites.items():
        if suite.name != key:
            yield ("suites", key, "name"), "a suite's name is its key; remove name"
        tasks = [entry.task for entry in suite.tasks]
        for j in sorted({tasks.index(task, tasks.index(task) + 1) for task in tasks if tasks.count(task) > 1}):
            yield ("suites", key, "tasks", j), f"the task {tasks[j]} is listed twice in the suite; remove one"
        for place, text in (*misfits(suite), *without_reference(suite, models)):
            yield ("suites", key, *place), text
    control = document.settings.control
    if control is not None and control.model not in models:
        text = f"there is no model {control.model}{did_you_mean(control.model, models)}"
        yield ("settings", "control", "model"), text
    elif control is not None and control.suite not in models[control.model].suites:
        own = ", ".join(models[control.model].suites)
        text = f"{control.model} does not have the suite {control.suite}; its suites: {own}"
        yield ("settings", "control", "suite" if "suite" in control.model_fields_set else "model"), text
    for i, entry in enumerate(document.models):
        for j, name in enumerate(entry.suites):
            if name not in document.suites:
                yield ("models", i, "suites", j), f"there is no suite {name}{did_you_mean(name, document.suites)}"
            elif name in entry.suites[:j]:
                yield ("models", i, "suites", j), f"the suite {name} is listed twice; remove one"
        if entry.name == UNKNOWN_BASE:
            yield ("models", i, "name"), f"{UNKNOWN_BASE} is reserved for base_model; give the model another name"
        if entry.source == "recipe" and entry.base_model not in models:
            text = f"a recipe needs another entry to train on, and {entry.base_model} is not an entry"
            yield ("models", i, "base_model"), text + did_you_mean(str(entry.base_model), models)
        elif (meant := _misspelt_base(entry, models)) is not None:
            yield ("models", i, "base_model"), f"there is no model {entry.base_model}; did you mean {meant}?"
        if entry.name in _ancestors(entry, models):
            yield ("models", i, "base_model"), f"{entry.name} descends from itself; name the model it was made from"


def _misspelt_base(entry: ModelEntry, models: Mapping[str, ModelEntry]) -> str | None:
    """The entry that was probably meant: a base may exist on the hub only, but after a typo nothing is compared."""
    base = entry.base_model
    return None if base is None or base in models or "/" in base else nearest(base, models, likeness=0.9)


def _ancestors(entry: ModelEntry, models: Mapping[str, ModelEntry]) -> list[str]:
    found: list[str] = []
    base = entry.base_model
    while base is not None and base not in found:
        found.append(base)
        base = models[base].base_model if base in models else None
    return found


def _keys_around(location: Location) -> Iterable[str]:
    """The keys that are valid in the mapping around `location`."""
    match tuple(location[:-1]):
        case ("settings",):
            return Settings.model_fields
        case ("settings", "control"):
            return ControlEntry.model_fields
        case ("models", int()):
            return ModelEntry.model_fields
        case ("models", int(), "budget"):
            return BudgetEntry.model_fields
        case ("suites", str()):
            return SuiteEntry.model_fields.keys() - {"name"}
        case ("suites", str(), "tasks", int()):
            return TaskEntry.model_fields
    return _Document.model_fields


def _failure(path: Path, source: LinedYaml, problems: Iterable[Problem]) -> CatalogueError:
    placed = sorted((source.line(location), ".".join(map(str, location)), text) for location, text in problems)
    return CatalogueError("\n".join(f"{path.name}:{line}: {place}: {text}" for line, place, text in placed))
