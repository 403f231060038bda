"""Resources: what assets need from outside, replaceable in tests.

Belongs here: paths, locks, and clients of other programs. Does not belong here: what assets do with them.
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
    """The home and the catalogue."""

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
    """Held from a run's first step to its last, so that the janitor can see whether its process lives."""

    evalwatt_home: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RunLock]:
        assert context.run is not None
        with living(Home(Path(self.evalwatt_home)), context.run.run_id):
            yield self


class RefreshLock(dg.ConfigurableResource):
    """Held from a run's first step to its last, so that the steps of two refreshes never interleave."""

    evalwatt_home: str
    run_lock: RunLock  # taken first: a waiting run is alive
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
        """Waits for the other refresh, and tags the run with how long, for the night's message."""
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
    """The hub client that reads leaderboard states."""

    def client(self) -> hub.Client:
        return hub_client.connect()


class Dbt(DbtCliResource):
    """dbt. Dagster asks for its version, and `dbt --version` would ask the package index for updates."""

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
        # An evaluator finishes its document on SIGTERM and lands what it has; otherwise its guard kills it.
        "evaluator": dg.PipesSubprocessClient(termination_timeout_seconds=GRACE_S + 30),
        "dbt": Dbt(
            project_dir=dbt_project(),  # type: ignore[arg-type]  # its validator takes a DbtProject
            dbt_executable=str(Path(sys.executable).with_name("dbt")),
        ),
    }


def set_dbt_home(home: Home) -> None:
    """Make EVALWATT_HOME absolute: dbt's profile uses it to find the warehouse, and dbt runs in another folder."""
    os.environ["EVALWATT_HOME"] = str(home.path)
