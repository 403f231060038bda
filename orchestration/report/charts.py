"""The charts as Vega specifications: written in Altair, compiled by vl-convert, so the page needs no Vega-Lite.

Belongs here: marks, scales and axes. A specification names its datasets and contains no rows: the page's script fills
them in. Colours are names from the style sheet (`var(--ink)`), resolved when a chart is drawn, so that light and dark
are defined in one place; `energy`, `mass`, `joules` and `figure` are the script's formats.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import altair as alt
import vl_convert

from orchestration.report.findings import PUBLISHED
from orchestration.report.palette import GRID, INK, MUTED, PAPER

Layers = alt.LayerChart | alt.FacetChart  # the types of Altair's layers

TIP = {"expr": "'tip'"}  # the mark has a tooltip, which the script fills

_CONFIG: dict[str, Any] = {
    "aria": False,  # a canvas has none; screen readers read the table below the chart
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "padding": {"left": 5, "top": 5, "right": 20, "bottom": 5},  # room for half of the last axis label
    "view": {"stroke": None},
    "axis": {
        "domainColor": MUTED,
        "gridColor": GRID,
        "labelColor": INK,
        "labelFontSize": 12,
        "tickColor": MUTED,
        "titleColor": INK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelLimit": 190,
        "labelSeparation": 10,
    },
    "axisY": {"grid": True},
    "text": {"color": INK, "fontSize": 12},
}
_OWN_COLOUR: Any = {"field": "colour", "type": "nominal", "scale": None, "legend": None}
_FILL: Any = {"field": "fill", "type": "nominal", "scale": None, "legend": None}


# The ticks of a logarithmic axis per decade, if there is room.
_STEPS = [digit * 10.0**power for power in range(-9, 7) for digit in (1, 1.5, 2, 3, 5, 7)]
_DECADES = [10.0**power for power in range(-9, 7)]


def _axis(form: str, **options: Any) -> alt.Axis:
    return alt.Axis(labelExpr=f"{form}(datum.value)", labelOverlap="greedy", **options)


def _log(field: str, title: str, form: str, **options: Any) -> alt.X:
    return alt.X(
        f"{field}:Q", scale=alt.Scale(type="log", nice=False, padding=12), axis=_axis(form, values=_STEPS), title=title
    )


def _rows(dataset: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(dataset))


def _labels() -> list[alt.Chart]:
    """Names, which the script places without overlaps; with a halo, because points may be behind them."""
    names = _rows("labels").encode(x="x:Q", y="y:Q", text="name:N")
    halo = names.mark_text(fontSize=11, dy=-11, stroke=PAPER, strokeWidth=4, strokeJoin="round", strokeOpacity=0.85)
    return [halo, names.mark_text(fontSize=11, dy=-11, color=INK)]


def frontier() -> Layers:
    """Datasets: points (x, y, low, high, area, colour), steps (x, y of the frontier), labels."""
    x = _log("x", "{cost}", "cost")
    y = alt.Y("y:Q", title="Score, points of 100", scale=alt.Scale(zero=False, nice=False, padding=16))
    points = _rows("points")
    return alt.layer(
        points.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=_OWN_COLOUR),
        points.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x="xlow:Q", x2="xhigh:Q", y=y, color=_OWN_COLOUR),
        points.mark_circle(stroke=PAPER, strokeWidth=0.5, tooltip=TIP).encode(
            x=x,
            y=y,
            color=_OWN_COLOUR,
            opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
            size=alt.Size("area:Q", scale=None, legend=None),
            order="order:Q",
        ),
        _rows("steps").mark_line(interpolate="step-after", strokeWidth=2, color=INK).encode(x=x, y=y, order="x:Q"),
        *_labels(),
    ).properties(height=440)


def arrows() -> Layers:
    """Dataset: pairs (x, y of the base; x2, y2 of the fine-tune; low, high of y2, xlow, xhigh of x2), labels."""
    x = _log("x", "{cost}", "cost")
    y = alt.Y("y:Q", title="Score, points of 100", scale=alt.Scale(zero=False, nice=False, padding=16))
    pairs = _rows("pairs")
    width = alt.StrokeWidth("width:Q", scale=None, legend=None)
    return alt.layer(
        pairs.mark_rule(strokeWidth=1, opacity=0.7).encode(
            x=alt.X("x2:Q"), y=alt.Y("low:Q"), y2="high:Q", color=_OWN_COLOUR
        ),
        pairs.mark_rule(strokeWidth=1, opacity=0.7).encode(
            x=alt.X("xlow:Q"), x2="xhigh:Q", y=alt.Y("y2:Q"), color=_OWN_COLOUR
        ),
        pairs.mark_rule(opacity=0.75).encode(x=x, y=y, x2="x2:Q", y2="y2:Q", color=_OWN_COLOUR, strokeWidth=width),
        pairs.mark_circle(size=45, fill=PAPER, strokeWidth=1.5, opacity=1, tooltip=TIP).encode(
            x=x, y=y, stroke=_OWN_COLOUR
        ),
        pairs.mark_point(filled=True, size=70, opacity=1, tooltip=TIP).encode(
            x="x2:Q",
            y="y2:Q",
            color=_OWN_COLOUR,
            shape=alt.Shape("shape:N", scale=None, legend=None),
        ),
        *_labels(),
    ).properties(height=400)


def asked() -> Layers:
    """Datasets: differences (question, order, x, low, high, colour, fill), zero."""
    x = alt.X("x:Q", title="Points gained", scale=alt.Scale(nice=False, padding=12))
    rows = _rows("differences").encode(
        y=alt.Y(
            "question:N",
            title=None,
            sort=alt.EncodingSortField("order", op="min"),
            axis=alt.Axis(grid=False, domain=False, ticks=False, labelExpr="split(datum.label, '\\n')"),
        )
    )
    return alt.layer(
        _rows("zero").mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="x:Q"),
        rows.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", color=_OWN_COLOUR),
        rows.mark_point(size=75, strokeWidth=2, opacity=1, tooltip=TIP).encode(x=x, stroke=_OWN_COLOUR, fill=_FILL),
    ).properties(height=alt.Step(36))


def families() -> Layers:
    """Dataset: ratios (family, group, x, colour, fill): emissions of fine-tunes relative to their base."""
    x = _log("x", "Median emissions relative to the base", "figure")
    rows = _rows("ratios").encode(
        y=alt.Y("family:N", title=None, axis=alt.Axis(grid=False, domain=False, ticks=False)), yOffset="group:N"
    )
    return alt.layer(
        _rows("one").mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="x:Q"),
        rows.mark_line(strokeWidth=1.5).encode(x=x, color=_OWN_COLOUR, detail=["family:N", "group:N"]),
        rows.mark_point(size=75, strokeWidth=2, opacity=1, tooltip=TIP).encode(x=x, stroke=_OWN_COLOUR, fill=_FILL),
    ).properties(height=alt.Step(17))


def sizes() -> Layers:
    """Datasets: boxes (bucket, basis, p25, median, p75, p95, mean, colour), models (bucket, basis, kg, colour)."""
    x = _log("p25", "Emissions of a model, CO₂e", "mass")
    y = alt.Y(
        "bucket:N",
        title=None,
        sort=alt.EncodingSortField("order", op="min"),
        axis=alt.Axis(grid=False, domain=False, ticks=False),
    )
    boxes, models = (_rows(dataset).encode(y=y, yOffset="basis:N") for dataset in ("boxes", "models"))
    return alt.layer(
        boxes.mark_rule(strokeWidth=1.5).encode(x=x, x2="p95:Q", color=_OWN_COLOUR),
        boxes.mark_bar(size=16, opacity=0.55, tooltip=TIP).encode(x=x, x2="p75:Q", color=_OWN_COLOUR),
        boxes.mark_tick(size=16, thickness=2.5, color=INK).encode(x="median:Q"),
        boxes.mark_point(shape="diamond", filled=True, size=50, opacity=1).encode(x="mean:Q", color=_OWN_COLOUR),
        models.mark_circle(size=90, opacity=1, tooltip=TIP).encode(x="kg:Q", color=_OWN_COLOUR),
    ).properties(height=alt.Step(26))


def marginal() -> Layers:
    """Dataset: steps (step, y, label, colour, basis): points gained per kg from one class to the next."""
    steps = _rows("steps").encode(
        x=alt.X(
            "step:N",
            title=None,
            sort=alt.EncodingSortField("order", op="min"),
            axis=alt.Axis(labelAngle=0, grid=False, labelExpr="split(replace(datum.label, ' to ', '\\nto '), '\\n')"),
        ),
        y=alt.Y(
            "y:Q",
            title="Points gained per kg CO₂e",
            scale=alt.Scale(type="log", padding=22),
            axis=_axis("figure", values=_DECADES),
        ),
        xOffset="basis:N",
    )
    return alt.layer(
        steps.mark_circle(size=110, opacity=1, tooltip=TIP).encode(color=_OWN_COLOUR),
        # one label above its point, one below: on a narrow page they would touch
        steps.mark_text(dy=alt.ExprRef(f"datum.basis === '{PUBLISHED}' ? 15 : -13")).encode(text="label:N"),
    ).properties(height=230)


def providers() -> Layers:
    """Dataset: medians (bucket, group, x, low, high, colour, fill): points per kg with 95 % intervals."""
    x = _log("x", "Median points per kg CO₂e", "figure")
    rows = _rows("medians").encode(
        y=alt.Y(
            "bucket:N",
            title=None,
            sort=alt.EncodingSortField("order", op="min"),
            axis=alt.Axis(grid=False, domain=False, ticks=False),
        ),
        yOffset="group:N",
    )
    return alt.layer(
        rows.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", color=_OWN_COLOUR),
        rows.mark_point(size=75, strokeWidth=2, opacity=1, tooltip=TIP).encode(x=x, stroke=_OWN_COLOUR, fill=_FILL),
    ).properties(height=alt.Step(16))


def verbosity() -> Layers:
    """Datasets: words (x, y, xlow, xhigh, colour), pairs (x, y of the base; x2, y2 of its fine-tune), labels."""
    words = _rows("words")
    x = _log("x", "Tokens written per answer", "figure")
    y = alt.Y(
        "y:Q",
        title="Energy per correct answer",
        scale=alt.Scale(type="log", nice=False, padding=24),
        axis=_axis("joules", values=_STEPS),
    )
    return alt.layer(
        _rows("pairs").mark_rule(strokeDash=[3, 3]).encode(x=x, y=y, x2="x2:Q", y2="y2:Q", color=_OWN_COLOUR),
        words.mark_rule(strokeWidth=1.5).encode(x=alt.X("xlow:Q"), x2="xhigh:Q", y=y, color=_OWN_COLOUR),
        words.mark_circle(size=90, opacity=1, tooltip=TIP).encode(x=x, y=y, color=_OWN_COLOUR),
        *_labels(),
    ).properties(height=320)


def nights() -> Layers:
    """Datasets: bars (night, phase, order, kwh, colour), marks (night, y, flag, colour, shape)."""
    x = alt.X(
        "night:N",
        title=None,
        axis=alt.Axis(labelAngle=0, labelOverlap="greedy", grid=False),
        scale=alt.Scale(paddingInner=0.3),
    )
    return alt.layer(
        _rows("bars")
        .mark_bar(size=alt.ExprRef("min(56, 0.8 * bandwidth('x'))"), tooltip=TIP)
        .encode(
            x=x,
            y=alt.Y("kwh:Q", title="Energy, all phases", stack="zero", axis=_axis("energy", tickCount=5)),
            color=_OWN_COLOUR,
            order="order:Q",
        ),
        _rows("marks")
        .mark_point(filled=True, size=90, opacity=1, yOffset=-12, tooltip=TIP)
        .encode(x=x, y="y:Q", color=_OWN_COLOUR, shape=alt.Shape("shape:N", scale=None, legend=None)),
    ).properties(height=260)


def scenarios() -> Layers:
    """Dataset: bars (scenario, kg, label, colour)."""
    rows = _rows("bars").encode(
        x=alt.X(
            "kg:Q",
            title="Emissions, CO₂e",
            axis=_axis("mass", tickCount=4),
            scale=alt.Scale(zero=True, nice=True, rangeMax=alt.ExprRef("width - 60")),  # room for the labels
        ),
        y=alt.Y(
            "scenario:N",
            title=None,
            sort=alt.EncodingSortField("kg", op="max"),
            axis=alt.Axis(grid=False, domain=False, ticks=False),
        ),
    )
    return alt.layer(
        rows.mark_bar(size=16, tooltip=TIP).encode(color=_OWN_COLOUR),
        rows.mark_text(align="left", dx=6).encode(text="label:N"),
    ).properties(height=alt.Step(26))


_CHARTS: dict[str, Callable[[], Layers]] = {
    chart.__name__: chart
    for chart in (frontier, arrows, asked, families, sizes, marginal, providers, verbosity, nights, scenarios)
}


@cache
def specifications() -> dict[str, dict[str, Any]]:
    """Every chart by its name, as Vega."""
    return {name: _compiled(make()) for name, make in _CHARTS.items()}


@cache
def runtime() -> str:
    """Vega with its embedding script, to be inlined; about 900 KB.

    vl-convert 1.9 bundles Vega's default export, which is null, so only `vegaEmbed` gives access to it.
    """
    return str(vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;"))


def _compiled(chart: Layers) -> dict[str, Any]:
    whole = chart.properties(width="container").configure(**_CONFIG).to_dict()
    compiled: dict[str, Any] = vl_convert.vegalite_to_vega(whole)
    return compiled
