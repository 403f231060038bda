"""Formats figures for people: units that fit the size, three digits, and never a zero for an unknown value.

The page's script follows the same rules (`static/formats.js`), with these units and digits; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

NOT_KNOWN = "not known"
DIGITS = 3

ENERGY = ((1e3, "MWh"), (1.0, "kWh"), (1e-3, "Wh"), (1e-6, "mWh"))  # in kWh
MASS = ((1e3, "t"), (1.0, "kg"), (1e-3, "g"), (1e-6, "mg"))  # in kg


def energy(kwh: float | None) -> str:
    """An energy in kWh as text: 0.249 Wh."""
    return _scaled(kwh, ENERGY)


def mass(kg: float | None) -> str:
    """A mass in kg as text: 91.8 mg."""
    return _scaled(kg, MASS)


def joules(value: float | None) -> str:
    """An energy in joules as text, whatever its size: 12,300 J."""
    return NOT_KNOWN if value is None else f"{number(value)}\u00a0J"


def number(value: float | None, digits: int = DIGITS) -> str:
    """Three significant digits without an exponent: 0.345, 12.3, 2,742."""
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    if value == 0:
        return "0"
    if float(value).is_integer():
        return _signed(f"{value:,.0f}")
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return _signed(f"{round(value, decimals):,.{max(decimals, 0)}f}")


def without(windows: Mapping[str, int], seconds: float) -> str:
    """The windows missing from a sum, by phase: `without 2 scoring windows (0.41 s in total)`; empty for none."""
    *others, last = [f"{count} {phase}" for phase, count in windows.items() if count] or [""]
    if not last:
        return ""
    kinds = f"{', '.join(others)} and {last}" if others else last
    noun, total = ("windows", " in total") if sum(windows.values()) > 1 else ("window", "")
    return f"without {kinds} {noun} ({number(seconds, 2)}\u00a0s{total})"


def points(value: float | None) -> str:
    """A score: 53.8."""
    return NOT_KNOWN if value is None else _signed(f"{value:.1f}")


def ratio(value: float | None) -> str:
    """A ratio, with a no-break space: 0.345 ×."""
    return NOT_KNOWN if value is None else f"{number(value)}\u00a0×"


def effect(unit: str, value: float, low: float | None, high: float | None) -> str:
    """A claim's effect in its unit: 5.92 % (5.01 to 7.02), correlation 0.831, 0.345 ×."""
    if unit == "share":
        value, low, high = 100 * value, low and 100 * low, high and 100 * high
    form = {"share": "{}\u00a0%", "correlation": "correlation {}", "ratio": "{}\u00a0×"}[unit]
    return f"{form.format(number(value))} {interval(low, high)}".strip()


def interval(low: float | None, high: float | None, reason: str | None = None) -> str:
    """The interval after a figure: (0.31 to 0.35), or why there is none."""
    if low is None or high is None:
        return f"(no interval: {reason})" if reason else ""
    return f"({number(low)} to {number(high)})"


def _signed(digits: str) -> str:
    """With a real minus sign instead of a hyphen."""
    return digits.replace("-", "\u2212")


def _scaled(value: float | None, units: tuple[tuple[float, str], ...]) -> str:
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    factor, unit = units[1] if value == 0 else next((unit for unit in units if abs(value) >= unit[0]), units[-1])
    return f"{number(value / factor)}\u00a0{unit}"
