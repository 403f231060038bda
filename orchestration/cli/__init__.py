"""The command line: `evalwatt VERB`. One module per verb, imported when it is used.

Belongs here: finding the verb, and turning errors into one message and an exit code (0 done, 1 failed, 2 usage error).
"""

from __future__ import annotations

import errno
import importlib
import os
import sys

import click

from evaluators.redaction import standard_streams_redacted

VERBS = (
    *("run", "plan", "status", "cancel", "evaluate", "gate", "import-leaderboard", "build", "sql", "report"),
    *("export", "exclude", "calibrate", "doctor", "cache", "rebuild"),
)

# Errors written for people, with their exit codes. Named, not imported: most verbs never load these modules.
EXPECTED = {
    "evaluators.catalogue.entries.CatalogueError": 2,
    "evaluators.landing.decisions.DecisionRefused": 2,
    "evaluators.leaderboards.hub.HubUnavailable": 1,
    "evaluators.models.builds.ModelUnavailable": 1,
    "evaluators.models.prepared.EvaluationRunning": 1,
    "evaluators.spec.SpecError": 2,
    "orchestration.gates.GateRefused": 2,
    "orchestration.gates.GateUndecided": 1,
    "orchestration.home.HomeRefused": 2,
    "orchestration.dbt_artifacts.manifest.ManifestError": 1,
    "orchestration.warehouse.published.NothingPublished": 1,
    "orchestration.warehouse.versions.PublicationRefused": 1,
    "orchestration.warehouse.load.WarehouseBusy": 1,
    "orchestration.warehouse.load.WarehouseOutdated": 1,
}

# What a person can do about a path that cannot be read or written.
PLACES = {
    errno.ENOENT: "name a folder that exists",
    errno.ENOTDIR: "it is a file where a folder is needed; name another place (--home), or move the file",
    errno.EACCES: "let this user read and write there, or name another place (--home)",
    errno.EROFS: "it is read-only; name another place (--home)",
    errno.ENOSPC: "make room, then run again",
}


class Verbs(click.Group):
    """The verbs, in the order in which people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"orchestration.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evalwatt")
def cli() -> None:
    """What does a point of quality cost? Evaluate language models, meter the energy, query the tables.

    State is kept under EVALWATT_HOME (default ./data); the catalogue is EVALWATT_CATALOGUE (default ./catalogue.yml).
    Exit codes: 0 done, 1 failed, 2 usage error, 130 stopped; a gate also has 3 (FAIL) and 4 (INCONCLUSIVE).

    \b
    Example:
      evalwatt doctor && evalwatt run
    """


def main() -> None:
    """Run the command line and exit. Errors are one message; a traceback follows only with --debug."""
    with standard_streams_redacted():
        sys.exit(_run())


def _run() -> int:
    try:
        code = cli.main(prog_name="evalwatt", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("stopped; what was finished is kept", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader stopped reading: evalwatt sql … | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except Exception as error:
        if os.environ.get("EVALWATT_DEBUG"):
            raise
        if isinstance(error, OSError) and error.filename and error.errno in PLACES:
            print(f"Error: {error.filename}: {error.strerror}; {PLACES[error.errno]}", file=sys.stderr)
            return 1
        expected = exit_code(error)
        remedy = "" if expected else " (unexpected; --debug shows the traceback)"
        print(f"Error: {error or type(error).__name__}{remedy}", file=sys.stderr)
        code = expected or 1
    return int(code or 0)


def exit_code(error: Exception) -> int | None:
    """The exit code of an error written for people; None for any other."""
    names = (f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__)
    return next((EXPECTED[name] for name in names if name in EXPECTED), None)
