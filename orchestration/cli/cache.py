"""`evalwatt cache`: lists downloaded and prepared models and the entries that need them, and frees the rest."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli import options
from orchestration.cli.errors import WrongUse

if TYPE_CHECKING:
    from evaluators.models.hub_cache import CachedRevision
    from evaluators.models.prepared import PreparedModel


class _Size(click.ParamType[int]):
    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from pydantic_core import PydanticCustomError

        from evaluators.catalogue.fields import size

        try:
            return int(size(value))
        except PydanticCustomError as error:
            self.fail(f"{value!r} is {error.message()}", param, ctx)


@click.command("cache")
@click.option("--evict", is_flag=True, help="Delete what no catalogue entry names.")
@click.option(
    "--to",
    "limit",
    type=_Size(),
    help="With --evict: delete hub downloads until the cache is this small, such as 200GB: least recently used "
    "first, those that the catalogue names last.",
)
@options.as_json
@options.places()
def command(evict: bool, limit: int | None, as_json: bool) -> None:
    """List hub downloads and prepared models, with the catalogue entries that need them.

    The hub's cache is shared by all programs of this user. Files in use by a running evaluation are never deleted.

    \b
    Examples:
      evalwatt cache
      evalwatt cache --evict --to 200GB
    """
    from evaluators.catalogue.entries import load
    from evaluators.models import hub_cache, prepared
    from evaluators.models.builds import ModelUnavailable
    from orchestration.home import Home, catalogue_path

    if limit is not None and not evict:
        raise WrongUse(f"--to limits what --evict keeps: evalwatt cache --evict --to {hub_cache.gigabytes(limit)}")
    catalogue, home = load(catalogue_path()), Home.from_env().path
    said: list[str] = []
    if evict and limit is None:
        said.append(str(hub_cache.free_unnamed(catalogue)))
        gone = prepared.free_unneeded(catalogue, home)
        size = hub_cache.gigabytes(sum(model.size_bytes for model in gone))
        said.append(f"freed {size} of prepared models ({', '.join(m.path.name for m in gone) or 'nothing'})")
    elif limit is not None:
        freed = hub_cache.free_to(limit, catalogue)
        said.append(str(freed) + ("" if freed.left_bytes <= limit else ": the rest is in use or cannot be deleted"))
    revisions = hub_cache.revisions(catalogue)
    found: list[PreparedModel] = []
    try:
        found = prepared.prepared(catalogue, home)
    except ModelUnavailable as error:
        said.append(
            f"prepared models are not listed, because the entries that need them could not be determined: {error}"
        )
    if as_json:
        report = {
            "said": said,
            "hub_cache": str(hub_cache.path()),
            "hub_cache_bytes": hub_cache.size_bytes(),
            "hub_cache_limit_bytes": catalogue.settings.hub_cache_limit,
            "revisions": [dataclasses.asdict(revision) for revision in revisions],
            "prepared": [dataclasses.asdict(model) for model in found],
        }
        print(json.dumps(report, indent=2, default=str))
        return
    for line in said:
        print(line)
    print(f"{hub_cache.path()}: {hub_cache.gigabytes(hub_cache.size_bytes())}")
    _print(revisions, found)


def _print(revisions: list[CachedRevision], prepared: list[PreparedModel]) -> None:
    from rich.table import Table

    from evaluators.models.hub_cache import DATA_SET, gigabytes
    from orchestration.cli.show import console

    table = Table(box=None, pad_edge=False)
    for name in ("what", "name", "size", "last used", "needed by"):
        table.add_column(name, overflow="fold")
    for found in revisions:
        named = ", ".join(found.named_by) or ("tasks" if found.kind == DATA_SET else "no entry")
        needed = named + (" (in use)" if found.in_use else "")
        name, day = f"{found.repo}@{found.revision[:12]}", f"{found.last_used:%Y-%m-%d}"
        table.add_row(found.kind, name, gigabytes(found.size_bytes), day, needed)
    for model in prepared:
        needed, day = ", ".join(model.needed_by) or "no entry", f"made {model.made_at:%Y-%m-%d}"
        table.add_row("prepared", model.path.name, gigabytes(model.size_bytes), day, needed)
    if table.row_count:
        console().print(table)
