"""RAPL's energy counters, looked at beside codecarbon, which reads them but does not say what it had to make up.

A counter that reads less than before has wrapped around or was reset. codecarbon takes it for wrapped and adds the
counter's range, or passes over the energy: after a reset both are wrong, and nobody can tell the two apart.
"""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


def counters(powercap: Path = POWERCAP) -> dict[str, int]:
    """Microjoules by domain, of the counters that can be read."""
    found = {}
    for path in sorted(powercap.glob("intel-rapl:*/energy_uj")):
        try:
            found[path.parent.name] = int(path.read_text())
        except (OSError, ValueError):
            continue
    return found


def went_back(before: dict[str, int], after: dict[str, int]) -> bool:
    """Whether a counter reads less than before, or is gone."""
    return any(after.get(domain, -1) < value for domain, value in before.items())
