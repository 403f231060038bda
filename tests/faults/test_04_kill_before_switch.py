"""Fault 4: a kill just before the publication switches.

The old version stays live, and what the killed one left is swept by the next.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from orchestration.home import Home
from orchestration.warehouse import publication
from orchestration.warehouse.publication import publish
from tests.support.processes import python
from tests.support.small_marts import build_marts

DYING = """
import os, signal, sys
from pathlib import Path
from orchestration.warehouse import publication
from orchestration.home import Home
setattr(publication, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
publication.publish(Home(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("step", ["describe", "seal", "switch"])
def test_04_killed_before_the_switch_the_old_version_stays_live(tmp_path: Path, step: str) -> None:
    home = Home(tmp_path / "it's a home")
    home.path.mkdir()
    build_marts(home, 1)
    before = publish(home)
    build_marts(home, 2)
    with python("-c", DYING, home.path, step) as killed:
        assert killed.end() == -signal.SIGKILL, killed.said
    assert publication.current(home) == before.path
    assert len(list((home.published / "versions").iterdir())) == 2, "it was killed before it had made anything"
    after = publish(home, keep=1)
    assert [p.name for p in (home.published / "versions").iterdir()] == [after.build_id]
