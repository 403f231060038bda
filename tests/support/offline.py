"""Processes without a network: every try to reach one is refused and written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.evaluations import may_unshare

HUB = "huggingface.co"

# Imported by Python itself at its start, in every process that inherits the environment.
SITE_CUSTOMIZE = """
import os, socket

def refuse(what):
    with open(os.environ["TRIED"], "a") as file:
        file.write(f"{what}\\n")
    raise OSError(101, "Network is unreachable")

def looked_up(host, *arguments, **options):
    refuse(host)

def connect(self, address, connect=socket.socket.connect):
    return connect(self, address) if self.family == socket.AF_UNIX else refuse(address[0])

socket.getaddrinfo = looked_up
socket.socket.connect = socket.socket.connect_ex = connect
"""


@dataclass(frozen=True)
class Offline:
    """How to start a process offline. `wrapper`: a network namespace without any interface, where that is allowed."""

    wrapper: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path

    def tried(self) -> set[str]:
        """The hosts that anybody tried to reach."""
        return set(self.log.read_text().splitlines()) if self.log.exists() else set()


def offline(folder: Path) -> Offline:
    place, log = folder / "site", folder / "tried"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(SITE_CUSTOMIZE)
    wrapper = ("unshare", "-n") if may_unshare("-n") else ("unshare", "-rn") if may_unshare("-rn") else ()
    return Offline(wrapper, {"PYTHONPATH": f"{place}:{Path(__file__).parents[2]}", "TRIED": str(log)}, log)
