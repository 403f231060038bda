"""Colours and shapes. A colour is a name from the style sheet, which defines it for the light and the dark theme."""

from __future__ import annotations

from orchestration.report.findings import MEASURED, PER_RUN, PUBLISHED

INK, MUTED, GRID, PAPER, OTHER = (f"var(--{name})" for name in ("ink", "muted", "grid", "paper", "other"))
# For values without a fixed colour, the most frequent first.
COLOURS = BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = tuple(f"var(--c{number})" for number in range(1, 7))

BASES = {PER_RUN: BLUE, PUBLISHED: YELLOW, MEASURED: GREEN}

# Providers and groups of fine-tunes, in the order of the legend.
GROUPS = {
    "official": {"colour": ORANGE, "words": "official release of the publisher"},
    "official, other": {"colour": YELLOW, "words": "other official"},
    "community": {"colour": BLUE, "words": "community"},
    "own": {"colour": GREEN, "words": "yours"},
}

# The phases in stacking order, from below.
PHASES = {"inference": BLUE, "scoring": SKY, "warmup": YELLOW, "load": PINK, "idle": OTHER}

# The control workload's flags. Nights without a control have no mark.
CONTROL_MARKS = {
    "steady": {"shape": "circle", "character": "●", "colour": GREEN},
    "drifted": {"shape": "triangle-up", "character": "▲", "colour": ORANGE},
    "learning": {"shape": "diamond", "character": "◆", "colour": YELLOW},
    "no_figure": {"shape": "cross", "character": "✚", "colour": MUTED},
}

SCENARIOS = {"chosen": ORANGE, "others": BLUE}

# By the code of a claim's verdict; their colours are in the style sheet.
VERDICT_MARKS = {"holds": "✓", "holds_in_direction": "◐", "not_supported": "✕", "reversed": "⇄", "undetermined": "?"}
