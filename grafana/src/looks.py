"""What is the same on every dashboard: colours, thresholds, words for numbers."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

GREEN, YELLOW, ORANGE, RED, BLUE, GRAY = "green", "yellow", "orange", "red", "blue", "#8e8e8e"

Steps = list[tuple[float | None, str]]
Words = dict[str, tuple[str, str]]

NEUTRAL: Steps = [(None, BLUE)]
PLAIN: Steps = [(None, "text")]

YES_IS_GOOD: Words = {"0": ("no", RED), "1": ("yes", GREEN)}
YES_IS_BAD: Words = {"0": ("no", GREEN), "1": ("yes", ORANGE)}
UP: Words = {"0": ("down", RED), "1": ("up", GREEN)}


def red_below(limit: float) -> Steps:
    """Red below the limit, green from it on."""
    return [(None, RED), (limit, GREEN)]


def red_from(limit: float, orange: float | None = None) -> Steps:
    """Green below, orange from ``orange`` on, red from the limit on."""
    middle: Steps = [] if orange is None else [(orange, ORANGE)]
    return [(None, GREEN), *middle, (limit, RED)]


def orange_from(limit: float) -> Steps:
    """Green below, orange from the limit on: worth knowing, not wrong."""
    return [(None, GREEN), (limit, ORANGE)]


def exactly_one() -> Steps:
    """One is right, none and more are wrong."""
    return [(None, RED), (1, GREEN), (2, RED)]


def thresholds(steps: Steps) -> build.ThresholdsConfig:
    """The builder for a panel."""
    found = [model.Threshold(value, color) for value, color in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def mappings(words: Words) -> list[model.ValueMapping]:
    """Show words in a colour instead of numbers."""
    if not words:
        return []
    results = {
        value: model.ValueMappingResult(text, color, index=index)
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return [model.ValueMap(options=results)]


def color(mode: model.FieldColorModeId, fixed: str = "") -> build.FieldColor:
    """How a field gets its colour."""
    builder = build.FieldColor().mode(mode)
    return builder.fixed_color(fixed) if fixed else builder
