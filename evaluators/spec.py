"""The instructions for an evaluator process: one model, one suite, one machine, as a JSON file.

A spec is self-contained: to launch the process, a Dagster asset, a Ray job or a person needs only this file, the
landing and the model's source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from evaluators.catalogue.entries import HOW_MUCH, ModelEntry, Settings, SuiteEntry
from evaluators.hashing import digest


class SpecError(Exception):
    """The spec cannot be used; the message names the file and the problem."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What runs used of their model's night budget. kWh None: unknown."""

    duration_s: float = 0.0
    energy_kwh: float | None = 0.0

    def __add__(self, other: Spent) -> Spent:
        unknown = self.energy_kwh is None or other.energy_kwh is None
        energy_kwh = None if unknown else (self.energy_kwh or 0.0) + (other.energy_kwh or 0.0)
        return Spent(self.duration_s + other.duration_s, energy_kwh)


@dataclass(frozen=True, slots=True)
class ComparedWith:
    """The model whose answers decide how much is asked, with its complete task evaluations by task: the names of their
    bundles. A task without one is asked in full."""

    model: str
    evaluations: dict[str, str]


class RunSpec(BaseModel):
    """One run. `root` is the catalogue's folder, `home` EVALWATT_HOME; both absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    home: Path
    root: Path
    model: ModelEntry
    lineage: tuple[ModelEntry, ...]  # the catalogue entries that the model descends from, nearest first
    suite: SuiteEntry
    settings: Settings
    plan_key: str
    force: bool = False  # evaluate again what was evaluated before
    complete: bool = False  # ask everything, whatever the suite's `until`
    reference: ComparedWith | None = None  # None: there is none, so that only a width ends before everything is asked
    until_precise: float | None = None  # repeat a task until its energy's interval is this wide, as a share of the mean
    repeat_for_s: float | None = None  # the time for these repetitions; None: no limit
    spent: Spent = Spent()  # what the model's other runs of this night used of its night budget
    is_control: bool = False  # the night's control workload
    order_seed: str | None = None  # the seed that shuffled the models that were due; None: a single run
    order_position: int | None = None  # the model's place in that order, from 1

    @property
    def landing(self) -> Path:
        return self.home / "landing"


def read(path: Path) -> RunSpec:
    """Raises SpecError for a file that is missing, empty, not JSON or not a spec."""
    try:
        return RunSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise SpecError(f"{path}: not a valid spec ({problems}); let `evalwatt evaluate` write it") from None


def suite_version(suite: SuiteEntry) -> str:
    """Hash over what the suite asks: tasks, few-shot, limits, metrics, weights; not its description or repetitions, and
    not how much it asks."""
    unsaid = HOW_MUCH | dict.fromkeys(("description", "include_path", "repetitions"), True)
    return digest(suite.model_dump(mode="json", exclude=unsaid))[:12]
