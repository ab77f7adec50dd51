"""The generator's selectors refuse what the exporter does not publish."""

from __future__ import annotations

import pytest

from grafana.src.query import of_member, scoped, series, worst
from pgha_exporter import names


def test_a_selector_names_metric_scope_and_labels() -> None:
    assert series(names.POSTGRES_UP) == "pgha_postgres_up"
    assert scoped(names.ROUTE_OK, route="rw") == 'pgha_route_ok{scope="$scope",route="rw"}'
    assert of_member(names.REPLAY_PAUSED) == 'pgha_replay_paused{scope="$scope",member="$member"}'
    assert worst(names.MEMBER_LAG_SECONDS, "member") == (
        'max by (member) (pgha_member_lag_seconds{scope="$scope"})'
    )
    assert series(names.ROLE, role="~leader|replica") == 'pgha_role{role=~"leader|replica"}'


@pytest.mark.parametrize("labels", [{"pid": "1"}, {"role": "master"}, {"role": "~leader|master"}])
def test_what_is_not_in_the_catalogue_ends_the_generator(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="pgha_role"):
        series(names.ROLE, **labels)
