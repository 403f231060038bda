"""`evalwatt export`: published evaluations in the field's own file formats."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli import complete, options
from orchestration.cli.errors import WrongUse
from orchestration.exports import FORMATS

if TYPE_CHECKING:
    from orchestration.exports.published_runs import Left


@click.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="OUT_FOLDER")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="The format to write.")
@click.option("--model", metavar="MODEL", shell_complete=complete.published_models, help="Only the runs of this model.")
@click.option(
    "--run",
    "named",
    metavar="RUN",
    shell_complete=complete.published_runs,
    help="Only this run: any prefix of its id, Evalwatt's or Dagster's.",
)
@options.as_json
@options.places(catalogue=False)
def command(folder: Path, form: str, model: str | None, named: str | None, as_json: bool) -> None:
    """Write published evaluations to OUT_FOLDER in another tool's format.

    The formats are lm-eval's results JSON, every_eval_ever's records, BoAmps reports and codecarbon's emissions.csv.
    Unknown figures are left empty, never 0, and what a format cannot hold is listed. Files of the same name are
    replaced.

    \b
    Example:
      evalwatt export --format lm-eval --model SmolLM2-135M-Instruct results
    """
    import duckdb

    from evaluators.catalogue.fields import did_you_mean
    from evaluators.durable import write_durably
    from orchestration.cli.run_ids import landed_run
    from orchestration.exports import files, published_runs
    from orchestration.home import Home
    from orchestration.warehouse.published import connect

    home = Home.from_env()
    with connect(home) as connection:
        try:
            run_id = landed_run(home, named, published_runs.run_ids(connection)) if named is not None else None
            for what, name, known in (("model", model, published_runs.models), ("run", run_id, published_runs.run_ids)):
                if name is not None and name not in (names := known(connection)):
                    raise WrongUse(f"no {what} {name!r} is published{did_you_mean(name, names)}")
            found = list(published_runs.read(connection, home.landing, model, run_id))
        except (duckdb.BinderException, duckdb.CatalogException):
            raise click.ClickException(
                "another version of Evalwatt published this; run `evalwatt build` to publish it again"
            ) from None
    left = [item for item in found if isinstance(item, published_runs.Left)]
    written: list[Path] = []
    for item in files(form, [item for item in found if isinstance(item, published_runs.Run)], datetime.now(UTC)):
        if isinstance(item, published_runs.Left):
            left.append(item)
            continue
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, item.text.encode())
        written.append(path)
    _tell(folder, written, left, as_json)
    if not written:
        remedy = "this format cannot hold what was left out" if left else "`evalwatt run` evaluates and publishes"
        raise click.ClickException(f"nothing was written: {remedy}")


def _tell(folder: Path, written: Sequence[Path], left: Sequence[Left], as_json: bool) -> None:
    if as_json:
        answer = {"files": [str(path) for path in written], "left_out": [dataclasses.asdict(item) for item in left]}
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for item in left:
        print(f"left out: {item.what}: {item.reason}", file=sys.stderr)
    if written:
        print(f"{len(written)} file{'' if len(written) == 1 else 's'} in {folder}")
