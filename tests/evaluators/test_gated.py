"""A gated model of the hub: what is missing, where to get it, and that the token stays in the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.hub_server import REPO, REVISION, Hub, gated_hub

MEMBER, STRANGER, INVALID = "hf_TokenWhoseAccountWasLetIn", "hf_TokenOfSomebodyElsesOwn", "hf_TokenThatHasExpiredNow"

# A process of its own, because the hub's client reads HF_ENDPOINT when it is imported.
PREPARE = """
import json, sys
from pathlib import Path
from evaluators.catalogue.entries import ModelEntry
from evaluators.models.sources import ModelUnavailable, prepare

entry = ModelEntry.model_validate_json(sys.argv[1])
try:
    prepare(entry, {}, Path("home"), Path(), print)
except ModelUnavailable as error:
    print(error)
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with gated_hub(**{MEMBER: True, STRANGER: False}) as hub:
        yield hub


def said(hub: Hub, folder: Path, token: str | None) -> str:
    entry = tiny.model_entry("locked", "", source="hub", repo=REPO, revision=REVISION)
    del entry["path"]
    environment = {key: value for key, value in os.environ.items() if key != "HF_TOKEN"}
    environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "cache"), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_TOKEN": token} if token else {}
    ended = subprocess.run(
        [sys.executable, "-c", PREPARE, json.dumps(entry)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not token or token not in ended.stdout + ended.stderr
    return ended.stdout.strip()


def test_without_a_token_it_names_the_page_and_the_variable(hub: Hub, tmp_path: Path) -> None:
    assert said(hub, tmp_path, None) == (
        f"locked: {REPO}@{REVISION[:12]} is gated; accept its terms at {hub.address}/{REPO}, "
        "and set HF_TOKEN to a token of that account"
    )


def test_a_token_without_access_is_not_told_to_set_one(hub: Hub, tmp_path: Path) -> None:
    assert said(hub, tmp_path, STRANGER) == (
        f"locked: {REPO}@{REVISION[:12]} is gated, and the account of HF_TOKEN has no access; accept the terms at "
        f"{hub.address}/{REPO} with it (some owners grant it manually), "
        "and let the token read gated repositories"
    )


def test_a_token_that_the_hub_does_not_know_is_named_as_such(hub: Hub, tmp_path: Path) -> None:
    assert said(hub, tmp_path, INVALID).startswith(f"locked: the hub refuses HF_TOKEN for {REPO}; set it to a valid")


def test_a_token_with_access_downloads(hub: Hub, tmp_path: Path) -> None:
    assert said(hub, tmp_path, MEMBER).endswith("has no weights; save the model as safetensors")
    assert list((tmp_path / "cache").rglob(f"snapshots/{REVISION}/config.json"))
