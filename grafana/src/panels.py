"""The kinds of panel that the dashboards are made of.

Every panel has a description that says what to do when it is red, a unit, a width of 24ths and a
height in grid rows, and tells in words when there is no data.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, common, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import prometheus as prometheus
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.src import looks
from grafana.src.looks import Steps, Words

DATA_SOURCE = model.DataSourceRef("prometheus", "${datasource}")
NOTHING = "no data"

Targets = dict[str, str]
"""``{legend: expression}``; the legend may name labels, ``{{member}}``."""


def target(index: int, legend: str, expr: str, *, now: bool = False) -> prometheus.Dataquery:
    """One query; ``now`` asks for the present value only."""
    builder = (
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + index))
        .expr(expr)
        .legend_format(legend)
        .datasource(DATA_SOURCE)
    )
    return builder.instant() if now else builder.range()


def verdict(
    title: str,
    description: str,
    expr: str,
    *,
    steps: Steps,
    words: Words | None = None,
    unit: str = "none",
    width: int = 4,
    height: int = 4,
    nothing: str = NOTHING,
    legend: str = "",
) -> stat.Panel:
    """One large value on its colour, readable from across the room.

    With a ``legend`` the name of the series is shown instead of its value.
    """
    text = shapes.BigValueTextMode.NAME if legend else shapes.BigValueTextMode.VALUE
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .span(width)
        .height(height)
        .unit(unit)
        .no_value(nothing)
        .mappings(looks.mappings(words or {}))
        .thresholds(looks.thresholds(steps))
        .color_mode(shapes.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .text_mode(text)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(target(0, legend, expr, now=True))
    )


def graph(
    title: str,
    description: str,
    targets: Targets,
    *,
    unit: str,
    width: int = 12,
    height: int = 8,
    limits: Steps | None = None,
    stacked: bool = False,
    minimum: float | None = 0,
) -> timeseries.Panel:
    """Lines over time; ``limits`` draws a line at each threshold."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .span(width)
        .height(height)
        .unit(unit)
        .no_value(NOTHING)
        .line_width(1)
        .fill_opacity(25 if stacked else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .color_scheme(looks.color(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
    )
    if minimum is not None:
        panel = panel.min(minimum)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if limits:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(looks.thresholds(limits)).thresholds_style(style)
    for index, (legend, expr) in enumerate(targets.items()):
        panel = panel.with_target(target(index, legend, expr))
    return panel


def timeline(
    title: str,
    description: str,
    targets: Targets,
    *,
    words: Words,
    width: int = 12,
    height: int = 7,
) -> statetimeline.Panel:
    """A coloured band per series: what it was, and when."""
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .span(width)
        .height(height)
        .no_value(NOTHING)
        .mappings(looks.mappings(words))
        .thresholds(looks.thresholds([(None, looks.GRAY)]))
        .color_scheme(looks.color(model.FieldColorModeId.THRESHOLDS))
        .row_height(0.8)
        .merge_values(True)
        .show_value(shapes.VisibilityMode.NEVER)
        .legend(_legend())
    )
    for index, (legend, expr) in enumerate(targets.items()):
        panel = panel.with_target(target(index, legend, expr))
    return panel


def bars(
    title: str,
    description: str,
    legend: str,
    expr: str,
    *,
    unit: str,
    steps: Steps,
    width: int = 12,
    height: int = 8,
) -> bargauge.Panel:
    """One horizontal bar per series: who is worst."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .span(width)
        .height(height)
        .unit(unit)
        .min(0)
        .no_value(NOTHING)
        .thresholds(looks.thresholds(steps))
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(target(0, legend, expr, now=True))
    )


def table_target(index: int, expr: str) -> prometheus.Dataquery:
    """A query of a table: the present value, one row per series."""
    return target(index, "", expr, now=True).format(PromQueryFormat.TABLE)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
