"""The order that an evaluator process gets: one model, one suite, one machine, as a JSON file.

A spec is self-contained, so that whatever launches the process (a Dagster asset, a Ray job, a person) needs nothing
but this file, the landing and the model's source.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from evaluators.budget import Spent
from evaluators.catalogue import ModelEntry, Settings, SuiteEntry


class SpecError(Exception):
    """The spec cannot be used; the message names the file and what is wrong with it."""


class RunSpec(BaseModel):
    """One run. `root` is the catalogue's folder, `home` EVALWATT_HOME; both absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    home: Path
    root: Path
    model: ModelEntry
    lineage: tuple[ModelEntry, ...]  # the catalogue's entries that the model's base_model leads to
    suite: SuiteEntry
    settings: Settings
    plan_key: str
    force: bool = False  # evaluate again what was evaluated before
    until_precise: float | None = None  # repeat a task until its energy's interval is this wide, as a share of the mean
    budget_s: float | None = None  # for that; None: no end
    spent: Spent = Spent()  # what the model's other runs of this night took of its budget
    is_control: bool = False  # the night's control workload
    order_seed: str | None = None  # shuffled the models that were due; None: a run by itself
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
        raise SpecError(f"{path}: not a run's spec ({problems}); let `evalwatt evaluate` write it") from None


def digest(value: Any) -> str:
    """sha-256 over a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def suite_version(suite: SuiteEntry) -> str:
    """Hash over what the suite asks: tasks, few-shot, limits, metrics, weights; not its description, nor how often."""
    return digest(suite.model_dump(mode="json", exclude={"description", "include_path", "repetitions"}))[:12]
