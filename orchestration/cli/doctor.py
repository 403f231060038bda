"""`evalwatt doctor`: what is measured here, what is only modelled, and what prevents an evaluation."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli import options

if TYPE_CHECKING:
    from evaluators.catalogue.entries import Catalogue, ModelEntry, Settings
    from orchestration.home import Home

_LEAST_FREE_GB = 5.0
_HUB = "https://huggingface.co"


@click.command("doctor")
@click.option("--online", is_flag=True, help="Also check that the model hub answers.")
@options.as_json
@options.places()
def command(online: bool, as_json: bool) -> None:
    """Show what can be measured on this machine and how to improve it. Exits with 1 if there are problems.

    Problems are mistakes in the catalogue, tasks that lm-eval does not know, quantized weights whose package is
    missing, and models without the chat template that a suite applies.

    \b
    Example:
      evalwatt doctor --online
    """
    from evaluators.catalogue.entries import CatalogueError, Settings, load
    from orchestration.home import Home, catalogue_path

    problems: list[str] = []
    remedies: list[str] = []
    catalogue: Catalogue | None = None
    try:
        catalogue = load(catalogue_path())
    except CatalogueError as error:
        problems.append(str(error))
    settings = catalogue.settings if catalogue else Settings()
    machine = _machine(settings, problems)
    report: dict[str, dict[str, Any]] = {
        "machine": machine,
        "energy": _energy(settings, problems, remedies),
        "state": _state(Home.from_env(), problems),
        "suites": _suites(catalogue, Home.from_env(), problems) if catalogue else {},
        "models": _models(settings, remedies),
        "versions": _versions(remedies),
    }
    if catalogue:
        report["models"] |= _entries(catalogue, Home.from_env(), machine.get("device", "cpu"), problems)
    if online:
        report["hub"] = _hub(remedies)
    if as_json:
        print(json.dumps({**report, "problems": problems, "remedies": remedies}, indent=2, default=str))
    else:
        _print(report, problems, remedies)
    sys.exit(1 if problems else 0)


def _machine(settings: Settings, problems: list[str]) -> dict[str, Any]:
    from evaluators.machine import describe_device, describe_machine, native_dtype, usable_threads

    facts = dataclasses.asdict(describe_machine(settings.machine_id))
    try:
        facts |= dataclasses.asdict(describe_device(settings.device))
        facts["dtype_auto"] = native_dtype(facts["device"])
    except ValueError as error:
        problems.append(str(error))
    return facts | {"threads": settings.threads or usable_threads()}


def _energy(settings: Settings, problems: list[str], remedies: list[str]) -> dict[str, Any]:
    from evaluators.energy import describe

    try:
        energy = describe(settings.meter, settings.country_iso_code, settings.region, settings.grid_intensity_g_per_kwh)
    except ValueError as error:
        problems.append(str(error))
        return {}
    remedies.extend(energy.remedies)
    facts = dataclasses.asdict(energy)
    del facts["remedies"]
    return facts | {"meter": settings.meter, "pue": settings.pue}


def _state(home: Home, problems: list[str]) -> dict[str, Any]:
    existing = next(path for path in (home.path, *home.path.parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if free_gb < _LEAST_FREE_GB:
        problems.append(f"only {free_gb:.1f} GB free under {existing}; models and results need {_LEAST_FREE_GB:.0f} GB")
    return {
        "home": str(home.path),
        "disk_free_gb": round(free_gb, 1),
        "runs_landed": len(list(home.landing.glob("*/run.json"))),
        "bundles_quarantined": len(list(home.quarantine.rglob("reason.json"))),
        "published": str(home.current.resolve()) if home.current.exists() else None,
    }


def _suites(catalogue: Catalogue, home: Home, problems: list[str]) -> dict[str, Any]:
    """How many entries each suite in use has. Unknown entries, and tasks named twice, are problems."""
    from evaluators.harness.lm_eval_tasks import Harness, TaskUnavailable

    nltk_data = home.path / "models" / "nltk_data"
    used = {name for model in catalogue.models if model.retired is None for name in model.suites}
    for name in sorted(used):
        try:
            harness = Harness(catalogue.suite(name), catalogue.path.parent, nltk_data)
            problems.extend(f"suite {name}: {words}" for words in (*harness.unknown(), *harness.named_twice()))
        except TaskUnavailable as error:
            problems.append(str(error))
    counts = {name: len(catalogue.suite(name).tasks) for name in sorted(used)}
    return {name: f"{count} task{'s or groups' if count > 1 else ' or group'}" for name, count in counts.items()}


def _models(settings: Settings, remedies: list[str]) -> dict[str, Any]:
    """The size of the hub's cache, and whether a token for gated models is set, never its value."""
    from evaluators.models import hub_cache
    from evaluators.models.hub_client import TOKEN_VARIABLE

    held, limit = hub_cache.size_bytes(), settings.hub_cache_limit
    if limit is not None and held > limit:
        size, bound = hub_cache.gigabytes(held), hub_cache.gigabytes(limit)
        remedies.append(
            f"the hub's cache is {size}, above hub_cache_limit ({bound}): `evalwatt cache --evict --to '{bound}'`, "
            "or the next evaluation, deletes the rest"
        )
    return {
        "hub_cache": str(hub_cache.path()),
        "hub_cache_gb": round(held / 1e9, 2),
        "hub_cache_limit_gb": None if limit is None else limit / 1e9,
        "token_for_gated_models": f"{TOKEN_VARIABLE} is {'set' if os.environ.get(TOKEN_VARIABLE) else 'not set'}",
    }


def _entries(catalogue: Catalogue, home: Home, device: str, problems: list[str]) -> dict[str, Any]:
    """How many of the catalogue's models are on this machine. One that cannot be evaluated is a problem."""
    from evaluators.models.checks import cannot_dequantize, unusable_template_in
    from evaluators.models.sources import folder_here

    entries = catalogue.needed()
    found = {name: folder_here(entry, entries, home.path, catalogue.path.parent) for name, entry in entries.items()}
    here = {name: folder for name, folder in found.items() if folder is not None}
    for name, folder in here.items():
        entry = entries[name]
        if (why := cannot_dequantize(folder, device, entry.engine)) is not None:
            problems.append(f"model {name}: {why}")
        suites = (
            [] if entry.retired else [suite for suite in entry.suites if _applies_template(catalogue, entry, suite)]
        )
        if suites and (why := unusable_template_in(folder)) is not None:
            problems.append(f"model {name}: {why}, and {', '.join(suites)} applies it")
    return {"prepared": f"{len(here)} of {len(entries)}"}


def _applies_template(catalogue: Catalogue, entry: ModelEntry, name: str) -> bool:
    suite = catalogue.suite(name)
    wanted = ((task.apply_chat_template, suite.apply_chat_template, entry.chat_template) for task in suite.tasks)
    return any(next(word for word in words if word is not None) for words in wanted)


def _versions(remedies: list[str]) -> dict[str, Any]:
    """The direct dependencies' versions, with a remedy for each that differs from its pin."""
    from orchestration.home import PROJECT

    pins = _pins(PROJECT / "constraints.txt")
    found: dict[str, Any] = {"python": sys.version.split()[0]}
    for requirement in metadata.requires("evalwatt") or ():
        name = requirement.split(";")[0].strip()
        name = name[: next((i for i, c in enumerate(name) if not (c.isalnum() or c in "-_.")), len(name))]
        if "extra ==" in requirement:
            continue
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
        pin = pins.get(_normal(name))
        if pin and (found[name] or "").partition("+")[0] != pin:
            remedies.append(
                f"{name} is {found[name] or 'missing'}, tested with {pin}: `make setup` installs the tested version"
            )
    return found


def _pins(constraints: Path) -> dict[str, str]:
    if not constraints.exists():
        return {}
    lines = (line.split("==") for line in constraints.read_text().splitlines() if "==" in line and line[0] != "#")
    return {_normal(name): version for name, version in lines}


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _hub(remedies: list[str]) -> dict[str, Any]:
    import httpx

    try:
        status = httpx.head(_HUB, timeout=10).status_code
    except httpx.HTTPError as error:
        remedies.append(f"{_HUB} does not answer ({error}); models with `source: hub` need it, or a filled HF_HOME")
        return {"address": _HUB, "answers": False}
    return {"address": _HUB, "answers": status < 500}


def _print(report: dict[str, dict[str, Any]], problems: list[str], remedies: list[str]) -> None:
    energy = report["energy"]
    for section, facts in report.items():
        print(f"{section}")
        if section == "energy" and facts:
            for component in ("cpu", "gpu", "ram"):
                print(f"  {component:<24} {facts[f'{component}_method']:<10} {facts[f'{component}_source']}")
        for name, value in facts.items():
            if section != "energy" or not name.endswith(("_method", "_source")) or name == "grid_source":
                print(f"  {name:<24} {'none' if value is None else value}")
    if energy and "modelled" in energy["cpu_method"]:
        print("\nModelled energies are estimates from CPU time and rated power: compare them only on this machine.")
    for title, lines in (("suggestion", remedies), ("problem", problems)):
        for line in lines:
            print(f"{title}: {line}")
    if not problems:
        print("no problems found")
