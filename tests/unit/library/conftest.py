from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pgha.errors import ConfigurationError
from pgha.topology import DEFAULTS, Topology
from tests.unit.library.answers import World


@pytest.fixture
def pillar() -> dict[str, Any]:
    """The pillar of the figure; tests change one thing."""
    return copy.deepcopy(DEFAULTS)


@pytest.fixture
def topology(pillar: dict[str, Any]) -> Topology:
    return Topology.from_pillar(pillar)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def problems(pillar: dict[str, Any]) -> Callable[..., tuple[str, ...]]:
    """Change keys of the pillar; answer every sentence that the operator reads."""

    def read(**changes: Any) -> tuple[str, ...]:
        try:
            Topology.from_pillar({**pillar, **changes})
        except ConfigurationError as error:
            return error.problems
        return ()

    return read
