"""One night that several rows look at: offline, with secrets in its environment, and with code that spills them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.built_once import built_once
from tests.support.evaluations import evalwatt, save_workplace
from tests.support.offline import Offline, offline

SECRETS = {
    "HF_TOKEN": "hf_TheCanaryThatNobodyMayHear",
    "AWS_SECRET_ACCESS_KEY": "canary/that+nobody=may-hear",
    "MOTHERDUCK_TOKEN": "canary.of.the.duck",
    "PGPASSWORD": "canary of the database",
}
IN_NO_VARIABLE = "CanaryInAnAddress"
SPILL = f"""
import logging, os, sys

def mean(values):
    spilt = " and ".join(os.environ[name] for name in {sorted(SECRETS)})
    print("printed:", spilt)
    print("complained:", spilt, file=sys.stderr)
    logging.getLogger("lm_eval").error("logged: %s", spilt)
    raise RuntimeError(f"spilt at https://me:{IN_NO_VARIABLE}@example.org: {{spilt}}")
"""


# Trains nothing: it says what it should not, on both streams, and fails.
RECIPE = f"""
import os, sys

spilt = " and ".join(os.environ[name] for name in {sorted(SECRETS)})
print("trained:", spilt)
print("with losses:", spilt, end="\\r", file=sys.stderr)
sys.exit("ended at https://me:{IN_NO_VARIABLE}@example.org")
"""


@dataclass(frozen=True)
class Night:
    folder: Path
    network: Offline
    ended: subprocess.CompletedProcess[str]

    @property
    def environment(self) -> dict[str, str]:
        return {**self.network.environment, **SECRETS, "HF_HOME": str(self.folder / "cache")}


def the_night(factory: pytest.TempPathFactory) -> Night:
    """`evalwatt run` of four models: `base` is well, `leaky` runs SPILL, `made` is RECIPE's, `far` is on the hub."""
    return built_once(factory, "night", lambda: _night(factory.mktemp("night")))


def _night(folder: Path) -> Night:
    save_workplace(folder, "tiny_one", "tiny_two", meter="codecarbon", country_iso_code="DEU", idle_s=0)
    (folder / "tasks" / "spill.py").write_text(SPILL)
    (folder / "recipe.py").write_text(RECIPE)
    tiny.use_function(folder / "tasks", "tiny_two", "aggregation", "spill.mean")
    catalogue = json.loads((folder / "catalogue.yml").read_text())
    suite = catalogue["suites"].pop("tiny")
    catalogue["suites"] = {
        "well": suite | {"tasks": ["tiny_one"]},
        "leaky": suite | {"tasks": ["tiny_one", "tiny_two"]},
    }
    far = tiny.model_entry("far", "", source="hub", repo="nobody/nothing", revision="0" * 40, suites=["well"])
    made = tiny.model_entry("made", "", source="recipe", recipe="recipe.py", kind="adapter", base_model="base")
    for entry in (far, made):
        del entry["path"]
    catalogue["models"] = [
        tiny.model_entry("base", "base", suites=["well"]),
        tiny.model_entry("leaky", "base", suites=["leaky"]),
        made | {"suites": ["well"]},
        far,
    ]
    (folder / "catalogue.yml").write_text(json.dumps(catalogue))
    night = Night(folder, offline(folder), subprocess.CompletedProcess([], 0))
    ended = evalwatt(folder, "run", "--json", wrapper=night.network.wrapper, environment=night.environment)
    return Night(folder, night.network, ended)
