"""Where Evalwatt's state is: the one place that knows the layout of EVALWATT_HOME.

Belongs here: paths. Does not belong here: their contents. Nothing here creates files, and nothing heavy is imported,
because `evalwatt sql` imports this module.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DBT_PROJECT = PROJECT / "dbt_project"
MARTS_FILE = "marts.duckdb"  # of a published version

# SQLAlchemy and dbt read the paths of their databases as URLs, Dagster reads its settings' path as a pattern.
_REFUSED = "?#%*[]"


class HomeRefused(ValueError):
    """State cannot be kept there; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that contains all state of one installation."""

    path: Path

    @classmethod
    def from_env(cls) -> Home:
        """EVALWATT_HOME, or `data` in the current folder. Raises HomeRefused before anything is written elsewhere."""
        path = Path(os.environ.get("EVALWATT_HOME") or "data").absolute()
        if bad := sorted({c for c in str(path) if c in _REFUSED or not c.isprintable()}):
            found = " ".join(map(repr, bad))
            raise HomeRefused(
                f"EVALWATT_HOME {str(path)!r} has {found} in its path; rename the folder, or name another one (--home)"
            )
        return cls(path)

    @property
    def landing(self) -> Path:
        return self.path / "landing"

    @property
    def quarantine(self) -> Path:
        return self.path / "quarantine"

    @property
    def warehouse(self) -> Path:
        return self.path / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        return self.path / "published"

    @property
    def current(self) -> Path:
        """The symlink to the version that readers see."""
        return self.published / "current"

    @property
    def marts(self) -> Path:
        """The published marts, which `warehouse.published` opens."""
        return self.current / MARTS_FILE

    @property
    def sql_history(self) -> Path:
        """The history of the prompt of `evalwatt sql`."""
        return self.path / "sql_history"

    @property
    def report(self) -> Path:
        return self.path / "report"

    @property
    def report_page(self) -> Path:
        return self.report / "index.html"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def dagster(self) -> Path:
        return self.path / "dagster"

    @property
    def dbt_target(self) -> Path:
        """dbt's artifacts and logs, separate for each home, because homes may share a checkout."""
        return self.path / "dbt_target"

    @property
    def nights(self) -> Path:
        """Each night's message and its deliveries."""
        return self.path / "nights"

    @property
    def locks(self) -> Path:
        return self.path / "locks"


def catalogue_path() -> Path:
    """EVALWATT_CATALOGUE, or `catalogue.yml` in the current folder."""
    return Path(os.environ.get("EVALWATT_CATALOGUE") or "catalogue.yml").absolute()
