"""Tables of present values: one row per member (or cluster, slot, ...), one query per column."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as model

from grafana.src import looks
from grafana.src.looks import Steps, Words
from grafana.src.panels import DATA_SOURCE, table_target


@dataclass(frozen=True)
class Column:
    """One query of the table.

    Attributes:
        header: the column's title.
        expr: must keep the table's key labels and, where given, ``label``; nothing else.
        label: show this label's text instead of the value.
        unit: Grafana's name of the unit.
        steps: colours the cell's background by value.
        words: words instead of numbers.
    """

    header: str
    expr: str
    label: str = ""
    unit: str = "none"
    steps: Steps | None = None
    words: Words | None = None


@dataclass(frozen=True)
class Link:
    """Where a click on the key column leads; ``${__value.raw}`` is the cell's text."""

    title: str
    url: str


def board(
    title: str,
    description: str,
    keys: dict[str, str],
    columns: list[Column],
    *,
    width: int = 24,
    height: int = 8,
    nothing: str = "none",
    link: Link | None = None,
) -> table.Panel:
    """A table.

    Args:
        keys: ``{label: header}`` of what identifies a row; the first columns.
        nothing: what an empty table says.
        link: on the first key.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .span(width)
        .height(height)
        .no_value(nothing)
        .thresholds(looks.thresholds(looks.PLAIN))
        .with_transformation(model.DataTransformerConfig("merge", options={}))
        .with_transformation(_organize(keys, columns))
    )
    for index, column in enumerate(columns):
        panel = panel.with_target(table_target(index, column.expr))
        panel = panel.override_by_name(column.header, _properties(column))
    if link:
        links = [{"title": link.title, "url": link.url}]
        first = next(iter(keys.values()))
        panel = panel.override_by_name(first, [model.DynamicConfigValue("links", links)])
    return panel


def _organize(keys: dict[str, str], columns: list[Column]) -> model.DataTransformerConfig:
    """Name and order the columns; a query's value is called ``Value #<its letter>``."""
    single = len(columns) == 1
    values = ["Value" if single else f"Value #{chr(ord('A') + at)}" for at in range(len(columns))]
    shown = [column.label or value for column, value in zip(columns, values, strict=True)]
    hidden = [value for column, value in zip(columns, values, strict=True) if column.label]
    headers = [column.header for column in columns]
    order = [*keys, *shown]
    return model.DataTransformerConfig(
        "organize",
        options={
            "excludeByName": dict.fromkeys(["Time", *hidden], True),
            "indexByName": {name: index for index, name in enumerate(order)},
            "renameByName": {**keys, **dict(zip(shown, headers, strict=True))},
        },
    )


def _properties(column: Column) -> list[model.DynamicConfigValue]:
    found = [model.DynamicConfigValue("unit", column.unit)]
    if column.words:
        mappings = [mapping.to_json() for mapping in looks.mappings(column.words)]
        found.append(model.DynamicConfigValue("mappings", mappings))
    if column.steps:
        steps = looks.thresholds(column.steps).build().to_json()
        found.append(model.DynamicConfigValue("thresholds", steps))
    if column.words or column.steps:
        background = {"type": "color-background", "mode": "basic"}
        found.append(model.DynamicConfigValue("custom.cellOptions", background))
    return found
