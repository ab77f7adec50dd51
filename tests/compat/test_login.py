"""The exporter beside an etcd that asks for user and password, over gRPC and over HTTP."""

from __future__ import annotations

import httpx
import pytest

from pgha.wait import Pending, poll
from tests.compat import etcd
from tests.compat.conftest import COMBINATIONS, Setup
from tests.compat.test_versions import settled, sources, timed

WITH_LOGIN = [versions for versions in COMBINATIONS if versions.login]
ENDED_S = etcd.TOKEN_S + 20
pytestmark = pytest.mark.parametrize("setup", WITH_LOGIN, ids=str, indirect=True)


def token_of(setup: Setup, client: httpx.Client) -> str:
    return etcd.log_in(client, etcd.EXPORTER, setup.cluster.logins[etcd.EXPORTER])


def test_etcd_lets_nobody_in_without_a_login_and_the_exporter_only_read(setup: Setup) -> None:
    with setup.cluster.ask_etcd() as client:
        token = token_of(setup, client)
        assert "user name is empty" in etcd.read(client).text
        assert etcd.read(client, token).json()["count"] == "1"
        assert "permission denied" in etcd.write(client, token).text


def test_no_scrape_notices_that_a_token_has_ended(setup: Setup) -> None:
    for exporter in setup.exporters:
        settled(exporter)
    with setup.cluster.ask_etcd() as client:
        # Younger than those of the exporters; each is looked at once, since use prolongs it.
        tokens = [token_of(setup, client) for _ in range(ENDED_S)]
        poll(
            lambda: has_ended(setup, client, tokens.pop()),
            deadline_s=ENDED_S,
            interval_s=1,
            what="the tokens to end",
        )
    goes_on(setup)


def has_ended(setup: Setup, client: httpx.Client, token: str) -> bool | Pending:
    if setup.cluster.versions.jwt:
        goes_on(setup)
    return "invalid auth token" in etcd.read(client, token).text or Pending("still good")


def goes_on(setup: Setup) -> None:
    for exporter in setup.exporters:
        values = timed(exporter)
        assert sources(values)["etcd"] == values["pgha_etcd_has_quorum{}"] == 1
        assert values["pgha_leader_lease_remaining_seconds{}"] >= 6
