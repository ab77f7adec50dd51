"""Waiting for a promotion that an operator asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pgha.errors import FailedError, RefusedError, TimedOutError, UnreachableError
from pgha.operate import promote as promoting
from pgha.operate.promote import promote
from pgha.patroni.models import Cluster, Member
from tests.support.clusters import topology

NEW = topology().nodes[1]


class Patroni:
    """Patroni of the survivor; ``looks`` of the dead leader's key come before the new leader."""

    def __init__(self, looks: int, refusal: str | None = None) -> None:
        self.looks, self.refusal = looks, refusal

    def failover(self, candidate: str, timeout_s: float) -> str:
        if self.refusal:
            raise RefusedError(self.refusal)
        return "ok"

    def cluster(self) -> Cluster:
        self.looks -= 1
        if self.looks > 0:
            raise UnreachableError("Patroni on app-server-2.lan did not answer.")
        leads = self.looks == 0
        return Cluster((Member(NEW.name, "leader" if leads else "replica", "running"),))

    def is_primary(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promoting, "INTERVAL_S", 0.001)


def run(patroni: Any) -> str:
    return promote(patroni, topology(), NEW, lambda _: patroni, 0.05)


def test_the_new_leader_is_named_once_it_leads() -> None:
    assert run(Patroni(looks=3)) == NEW.name


def test_a_refusal_ends_the_wait_with_patronis_words() -> None:
    with pytest.raises(FailedError, match="not allowed to promote"):
        run(Patroni(looks=-1, refusal="not allowed to promote."))


def test_nobody_leading_in_time_says_what_was_seen() -> None:
    with pytest.raises(TimedOutError, match=r"postgres-node-2 as the leader.*no member holds"):
        run(Patroni(looks=-1))
