"""RAPL's energy counters, checked beside codecarbon, which reads them but does not say where it had to guess.

codecarbon adds up the packages that it can read, or other domains where it can read none, and reports such a part as
the whole processor. So the processor counts as measured only where every package can be read.

A counter that reads less than before has wrapped around or was reset. codecarbon assumes that it wrapped and adds the
counter's range, or skips the energy. After a reset both are wrong, and the two cases cannot be distinguished.
"""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


def counters(powercap: Path = POWERCAP) -> dict[str, int]:
    """Microjoules by domain, of the counters that can be read."""
    found = {path.parent.name: _microjoules(path) for path in _files(powercap)}
    return {domain: value for domain, value in found.items() if value is not None}


def packages(powercap: Path = POWERCAP) -> dict[str, bool]:
    """The processor's packages (a socket, or a die of one) by name, and whether the energy of each can be read.

    A package with two interfaces, such as MSR and MMIO, can be read where one of them can.
    """
    found: dict[str, bool] = {}
    for path in _files(powercap):
        name = _name(path)
        if "package" in name:  # as codecarbon recognises them
            found[name] = found.get(name, False) or _microjoules(path) is not None
    return found


def measures_processor(powercap: Path = POWERCAP) -> bool:
    """Whether RAPL measures the whole processor here."""
    found = packages(powercap)
    return bool(found) and all(found.values())


def went_back(before: dict[str, int], after: dict[str, int]) -> bool:
    """Whether a counter reads less than before, or is gone."""
    return any(after.get(domain, -1) < value for domain, value in before.items())


def _files(powercap: Path) -> list[Path]:
    return sorted(powercap.glob("intel-rapl*:*/energy_uj"))


def _microjoules(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _name(path: Path) -> str:
    """The name of a counter's domain: `package-0`, `core`, `dram`, `psys`."""
    try:
        return (path.parent / "name").read_text().strip().lower()
    except OSError:
        return ""
