"""Resources: what assets need from outside, exchangeable in tests.

Belongs here: where things are, and clients of other programs. Does not belong here: what is done with them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject
from packaging.version import Version

from evaluators.catalogue.entries import Catalogue, load
from evaluators.leaderboards import hub
from evaluators.models import hub_client
from evaluators.process.guard import GRACE_S
from evaluators.wording import in_words
from orchestration.home import DBT_PROJECT, Home, catalogue_path
from orchestration.instance.janitor import living
from orchestration.instance.names import WAITED_TAG
from orchestration.warehouse.load import WarehouseBusy, refresh_lock

REFRESH_WAIT_S = 3600.0


class Paths(dg.ConfigurableResource):
    """Where the state lies, and which catalogue is evaluated."""

    evalwatt_home: str
    catalogue_file: str

    @classmethod
    def from_env(cls) -> Paths:
        return cls(evalwatt_home=str(Home.from_env().path), catalogue_file=str(catalogue_path()))

    @property
    def home(self) -> Home:
        return Home(Path(self.evalwatt_home))

    def catalogue(self) -> Catalogue:
        """Raises CatalogueError."""
        return load(Path(self.catalogue_file))


class RunLock(dg.ConfigurableResource):
    """Held from a run's first step to its last, so that the janitor sees whether its process lives."""

    evalwatt_home: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RunLock]:
        assert context.run is not None
        with living(Home(Path(self.evalwatt_home)), context.run.run_id):
            yield self


class RefreshLock(dg.ConfigurableResource):
    """Held from a run's first step to its last, so that no two runs load, build or publish in turns."""

    evalwatt_home: str
    run_lock: RunLock  # taken first: a run that waits lives
    wait_s: float = REFRESH_WAIT_S

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RefreshLock]:
        home = Home(Path(self.evalwatt_home))
        with ExitStack() as held:
            try:
                held.enter_context(refresh_lock(home))
            except WarehouseBusy as busy:
                print(f"{busy}; waiting for up to {self.wait_s / 60:.0f} minutes", file=sys.stderr, flush=True)
                self._wait(context, home, held)
            yield self

    def _wait(self, context: dg.InitResourceContext, home: Home, held: ExitStack) -> None:
        """Waits for the other refresh; the run's tag tells the night's message of it."""
        assert context.instance is not None
        assert context.run is not None
        started, waited = time.monotonic(), "gave up after"
        try:
            held.enter_context(refresh_lock(home, self.wait_s))
            waited = "waited"
        finally:
            words = f"{waited} {in_words(time.monotonic() - started)}"
            context.instance.add_run_tags(context.run.run_id, {WAITED_TAG: words})


class LeaderboardHub(dg.ConfigurableResource):
    """The hub's client that leaderboard states are read with."""

    def client(self) -> hub.Client:
        return hub_client.connect()


class Dbt(DbtCliResource):
    """dbt, of which Dagster wants to know the version: `dbt --version` would ask the package index for newer ones."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))


def dbt_project() -> DbtProject:
    return DbtProject(DBT_PROJECT)


def default_resources(paths: Paths) -> dict[str, object]:
    """The resources of an installation."""
    run_lock = RunLock(evalwatt_home=paths.evalwatt_home)
    return {
        "paths": paths,
        "run_lock": run_lock,
        "refresh_lock": RefreshLock(evalwatt_home=paths.evalwatt_home, run_lock=run_lock),
        "leaderboard_hub": LeaderboardHub(),
        # An evaluator that is told to stop finishes its document, and lands what it has; its guard ends it otherwise.
        "evaluator": dg.PipesSubprocessClient(termination_timeout_seconds=GRACE_S + 30),
        "dbt": Dbt(
            project_dir=dbt_project(),  # type: ignore[arg-type]  # its validator takes a DbtProject
            dbt_executable=str(Path(sys.executable).with_name("dbt")),
        ),
    }


def tell_dbt(home: Home) -> None:
    """dbt's profile finds the warehouse by EVALWATT_HOME, and dbt runs in another folder: the path must be absolute."""
    os.environ["EVALWATT_HOME"] = str(home.path)
