"""The hub's cache, in the layout that huggingface_hub itself makes: what is named, what is freed, what is in use."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from safetensors.torch import load_file, save_file

from evaluators.catalogue.entries import Catalogue, CatalogueError, load
from evaluators.models import hub_cache, prepared
from evaluators.models.sources import ModelUnavailable, prepare
from tests.support import tiny
from tests.support.tiny_models import save_adapter

OLD, NEW, OTHER, DATA = "a" * 40, "b" * 40, "c" * 40, "d" * 40


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two revisions of a/one that share a file, one of b/two, and a data set; used in the order of OLD, OTHER, NEW."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    for at, (repo, revision, files) in enumerate(
        (
            ("models--a--one", OLD, {"config.json": b"shared", "model.safetensors": bytes(3000)}),
            ("models--b--two", OTHER, {"config.json": b"two", "model.safetensors": bytes(5000)}),
            ("models--a--one", NEW, {"config.json": b"shared", "model.safetensors": bytes(4000)}),
            ("datasets--c--tasks", DATA, {"test.parquet": bytes(1000)}),
        )
    ):
        place = folder / repo
        (place / "snapshots" / revision).mkdir(parents=True)
        (place / "blobs").mkdir(exist_ok=True)
        for name, content in files.items():
            blob = place / "blobs" / f"{len(content)}-{name}"
            blob.write_bytes(content)
            os.utime(blob, (1e9 + at * 1e5, 1e9))
            (place / "snapshots" / revision / name).symlink_to(Path("../..", "blobs", blob.name))
    return folder


def catalogue(folder: Path, **pinned: str) -> Catalogue:
    entries = []
    for name, revision in pinned.items():
        entry = tiny.model_entry(name, "", source="hub", repo="b/two" if revision == OTHER else "a/one")
        del entry["path"]
        entries.append(entry | {"revision": revision})
    return load(tiny.save_catalogue(folder, tasks=["tiny_one"], models=entries))


def there(known: Catalogue) -> set[str]:
    return {found.revision for found in hub_cache.revisions(known)}


def test_what_lies_there_and_which_entry_names_it(tmp_path: Path) -> None:
    found = {r.revision: r for r in hub_cache.revisions(catalogue(tmp_path, small=NEW, again=NEW, gone=OTHER))}
    assert (found[NEW].kind, found[NEW].repo, found[NEW].size_bytes) == ("model", "a/one", 4006)
    assert {revision: r.named_by for revision, r in found.items()} == {
        OLD: (),
        OTHER: ("gone",),
        NEW: ("small", "again"),
        DATA: (),
    }
    assert [r for r in found if found[r].kind == "model"] == [OLD, OTHER, NEW]
    assert hub_cache.size_bytes() == 3000 + 4000 + 6 + 5003 + 1000


def test_a_retired_entry_names_nothing_and_a_base_is_named(tmp_path: Path) -> None:
    known = catalogue(tmp_path, child=NEW, base=OTHER, retired=OLD)
    child, base, retired = known.models
    changed = Catalogue(
        known.path,
        known.settings,
        known.suites,
        (
            child.model_copy(update={"base_model": "base"}),
            base.model_copy(update={"retired": "too slow"}),
            retired.model_copy(update={"retired": "replaced"}),
        ),
    )
    named = {r.revision: r.named_by for r in hub_cache.revisions(changed)}
    assert (named[NEW], named[OTHER], named[OLD]) == (("child",), ("base",), ())


def test_what_no_entry_names_is_freed_and_shared_files_stay(tmp_path: Path, cache: Path) -> None:
    known = catalogue(tmp_path, small=NEW)
    freed = hub_cache.free_unnamed(known)
    assert {r.revision for r in freed.revisions} == {OLD, OTHER}
    assert (freed.freed_bytes, freed.left_bytes) == (3000 + 5003, 4006 + 1000)
    assert there(known) == {NEW, DATA}
    assert (cache / "models--a--one/snapshots" / NEW / "config.json").read_bytes() == b"shared"
    assert f"b/two@{OTHER[:12]}" in str(freed)


def test_to_a_size_the_least_recently_used_goes_first_and_what_is_named_last(tmp_path: Path) -> None:
    known = catalogue(tmp_path, first=OLD, small=NEW)
    assert {r.revision for r in hub_cache.free_to(13_000, known).revisions} == {OTHER}
    assert there(known) == {OLD, NEW, DATA}
    assert {r.revision for r in hub_cache.free_to(7_100, known).revisions} == {DATA}
    assert {r.revision for r in hub_cache.free_to(5_000, known).revisions} == {OLD}
    assert hub_cache.free_to(5_000, known).revisions == ()


def test_what_is_about_to_be_evaluated_is_kept_whatever_the_limit(tmp_path: Path) -> None:
    known = catalogue(tmp_path, first=OLD, small=NEW)
    freed = hub_cache.free_to(0, known, keep=known.models[:1])
    assert {r.revision for r in freed.revisions} == {OTHER, NEW, DATA}
    assert (freed.left_bytes, there(known)) == (3006, {OLD})


@contextmanager
def evaluation_of(known: Catalogue) -> Iterator[None]:
    """Another process that uses the catalogue's models, and is killed at the end."""
    mine, other = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_use, args=(known, other))
    process.start()
    assert mine.recv() == "used"
    try:
        yield
    finally:
        process.kill()
        process.join()


def _use(known: Catalogue, pipe: object) -> None:
    with hub_cache.in_use(known.models):
        pipe.send("used")  # type: ignore[attr-defined]
        pipe.recv()  # type: ignore[attr-defined]


def test_what_a_running_evaluation_uses_is_not_freed_until_it_has_ended(tmp_path: Path) -> None:
    known, nothing = catalogue(tmp_path, small=NEW), catalogue(tmp_path, another="e" * 40)
    with evaluation_of(known), evaluation_of(known):
        assert {r.revision for r in hub_cache.revisions(known) if r.in_use} == {OLD, NEW, DATA}  # the repository
        assert {r.revision for r in hub_cache.free_to(0, nothing).revisions} == {OTHER}
    assert {r.revision for r in hub_cache.free_to(0, nothing).revisions} == {OLD, NEW, DATA}
    assert hub_cache.size_bytes() == 0


def test_use_counts_where_the_file_system_keeps_no_time_of_reading(tmp_path: Path, cache: Path) -> None:
    known = catalogue(tmp_path, second=OTHER)
    with hub_cache.in_use(known.models):
        pass
    os.utime(cache / ".locks/evalwatt/models--b--two", (1, 1))
    with hub_cache.in_use(known.models):
        pass
    assert [r.revision for r in hub_cache.revisions(known) if r.kind == "model"] == [OLD, NEW, OTHER]


def test_without_a_cache_there_is_nothing(tmp_path: Path, cache: Path) -> None:
    shutil.rmtree(cache)
    known = catalogue(tmp_path, small=NEW)
    assert hub_cache.revisions(known) == []
    assert str(hub_cache.free_to(0, known)) == "freed 0.00 MB of the hub's cache (nothing); 0.00 MB remain"


@pytest.mark.parametrize(
    ("written", "size_bytes"), [("200GB", 200 * 10**9), ("1.5TB", 15 * 10**11), ("500 MB", 5 * 10**8)]
)
def test_a_limit_is_a_size(tmp_path: Path, written: str, size_bytes: int) -> None:
    models = [tiny.model_entry("base", "base")]
    known = load(tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=models, hub_cache_limit=written))
    assert known.settings.hub_cache_limit == size_bytes
    with pytest.raises(CatalogueError, match="such as 500MB, 200GB"):
        load(tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=models, hub_cache_limit="much"))


def test_a_prepared_model_that_no_entry_needs_is_freed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    tiny.save_model(tmp_path / "base")
    for name in ("kept", "dropped"):
        save_adapter(tmp_path / "base", tmp_path / name)
    weights = tmp_path / "dropped" / "adapter_model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)
    models = [tiny.model_entry("base", "base")]
    models += [tiny.model_entry(n, n, kind="adapter", base_model="base") for n in ("kept", "dropped")]
    known = load(tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=models))
    entries = {entry.name: entry for entry in known.models}
    kept, dropped = (prepare(entries[n], entries, home, tmp_path, print).path for n in ("kept", "dropped"))
    assert {m.path: m.needed_by for m in prepared.prepared(known, home)} == {
        kept: ("kept",),
        dropped: ("dropped",),
    }
    assert prepared.free_unneeded(known, home) == []

    without = load(tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=models[:2]))
    with FileLock(home / "locks" / "device.lock"), pytest.raises(prepared.EvaluationRunning):
        prepared.free_unneeded(without, home)
    borrower = tiny.model_entry("borrower", f"home/models/{dropped.name}")  # evaluated from what another one made
    borrowed = load(tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=[*models[:2], borrower]))
    assert prepared.free_unneeded(borrowed, home) == []
    (gone,) = prepared.free_unneeded(without, home)
    assert (gone.path, gone.size_bytes > 1000) == (dropped, True)
    assert [path for path in (home / "models").iterdir() if path.is_dir()] == [kept]
    shutil.rmtree(tmp_path / "kept")  # whether its folder is needed cannot be known now: nothing is freed
    with pytest.raises(ModelUnavailable):
        prepared.free_unneeded(without, home)
    assert kept.is_dir()
