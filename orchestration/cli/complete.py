"""What the shell completes besides verbs and options. It completes nothing if the names cannot be looked up."""

from __future__ import annotations

from contextlib import suppress

import click


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Models of the catalogue that are evaluated."""
    from evaluators.catalogue.entries import CatalogueError, load
    from orchestration.home import catalogue_path

    with suppress(CatalogueError):
        names = [model.name for model in load(catalogue_path()).models if not model.retired]
        return [name for name in names if name.startswith(incomplete)]
    return []


def suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Suites of the catalogue."""
    from evaluators.catalogue.entries import CatalogueError, load
    from orchestration.home import catalogue_path

    with suppress(CatalogueError):
        return [name for name in load(catalogue_path()).suites if name.startswith(incomplete)]
    return []


def landed_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Runs whose results are landed, newest first."""
    from evaluators.landing.decisions import runs
    from orchestration.home import Home

    return [run_id for run_id in runs(Home.from_env().landing) if run_id.startswith(incomplete)]


def running_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Evaluations that are queued or running, by either id."""
    from orchestration.home import Home
    from orchestration.instance.opening import has_instance, open_instance

    home = Home.from_env()
    if not has_instance(home):
        return []
    from orchestration.cli.run_ids import running_ids
    from orchestration.nights.groups import running

    with open_instance(home) as instance:
        found = running_ids(home, running(instance))
    return [run_id for own, others in found.items() for run_id in (own, *others) if run_id.startswith(incomplete)]


def published_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Runs with published evaluations, newest first."""
    import duckdb

    from orchestration.exports.published_runs import run_ids
    from orchestration.home import Home
    from orchestration.warehouse.published import NothingPublished, connect

    with suppress(NothingPublished, duckdb.Error), connect(Home.from_env()) as connection:
        return [run_id for run_id in run_ids(connection) if run_id.startswith(incomplete)]
    return []


def published_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Models with published evaluations."""
    import duckdb

    from orchestration.exports.published_runs import models
    from orchestration.home import Home
    from orchestration.warehouse.published import NothingPublished, connect

    with suppress(NothingPublished, duckdb.Error), connect(Home.from_env()) as connection:
        return [name for name in models(connection) if name.startswith(incomplete)]
    return []
