"""The exporter beside Patroni 3.3 and 4.1, PostgreSQL 15 to 17, etcd 3.4 and 3.5."""

from __future__ import annotations

import re
import time

import pytest

from pgha_exporter.names import BLOCKED_REASONS
from tests.compat.conftest import Setup
from tests.compat.exporter import Exporter, Values, libpq

SCRAPE_S = 3.0
SEEN_S = 30
YEAR_S = 365 * 86400


def sources(values: Values) -> dict[str, float]:
    pattern = re.compile(r"pgha_source_up\{(\w+)\}")
    return {m.group(1): up for name, up in values.items() if (m := pattern.fullmatch(name))}


def failsafe(values: Values) -> list[float]:
    return [on for name, on in values.items() if name.startswith("pgha_failsafe_active{")]


def timed(exporter: Exporter) -> Values:
    """A scrape that has to be there in time, whatever is broken."""
    started = time.monotonic()
    values = exporter.scrape()
    assert time.monotonic() - started < SCRAPE_S
    return values


def settled(exporter: Exporter) -> Values:
    """A scrape of a healthy cluster: everybody answers, and the replica could take over."""
    return exporter.wait_for(
        "a healthy cluster",
        lambda v: all(sources(v).values()) and v.get("pgha_failover_candidates{}") == 1,
        SEEN_S,
    )


def test_the_settings_are_accepted_and_it_gets_ready(setup: Setup) -> None:
    for exporter in setup.exporters:
        assert "can be used" in exporter.check()
        assert exporter.get("/-/ready").status_code == 200
        assert exporter.get("/-/healthy", password=False).status_code == 200


def test_psycopg_uses_the_libpq_that_it_was_installed_with(setup: Setup) -> None:
    assert libpq(setup.cluster) == ("binary" if setup.cluster.versions.binary else "python")


def test_every_source_answers(setup: Setup) -> None:
    expected = {"patroni", "postgres", "etcd"} | (
        {"files"} if setup.cluster.versions.tls else set()
    )
    for exporter in setup.exporters:
        assert sources(settled(exporter)) == dict.fromkeys(expected, 1)


def test_what_runs_here_is_named(setup: Setup) -> None:
    values = settled(setup.leader)
    (info,) = (name for name in values if name.startswith("pgha_node_info{"))
    member, patroni, postgres, identifier = info[len("pgha_node_info{") : -1].split(",")
    versions = setup.cluster.versions
    assert (member, postgres) == ("node1", setup.cluster.version_of("node1"))
    assert patroni.startswith(f"{versions.patroni}.")
    assert postgres.startswith(f"{versions.postgres}.")
    assert identifier == setup.cluster.sql("SELECT system_identifier FROM pg_control_system()")


@pytest.mark.parametrize(("member", "role"), [("node1", "leader"), ("node2", "replica")])
def test_role_and_timeline(setup: Setup, member: str, role: str) -> None:
    exporter = setup.leader if member == "node1" else setup.replica
    values = settled(exporter)
    assert values[f"pgha_role{{{member},{role}}}"] == 1
    assert values[f"pgha_leader_lock_held{{{member}}}"] == (role == "leader")
    assert values[f"pgha_postgres_writable{{{member}}}"] == (role == "leader")
    assert values[f"pgha_postgres_timeline{{{member}}}"] == 1
    assert values["pgha_cluster_timeline{}"] == 1
    assert values["pgha_cluster_has_leader{}"] == 1


def test_quorum_lease_and_candidates(setup: Setup) -> None:
    for exporter in setup.exporters:
        values = settled(exporter)
        assert values["pgha_etcd_has_quorum{}"] == 1
        assert values["pgha_etcd_voters{}"] == values["pgha_etcd_healthy_voters{}"] == 1
        assert values["pgha_etcd_failure_tolerance{}"] == 0
        # ttl 20 s, renewed every 10 s, and what is known of it may be some 3 s old.
        assert 6 <= values["pgha_leader_lease_remaining_seconds{}"] <= 20
        assert values["pgha_cluster_ttl_seconds{}"] == 20
        blocked = {r: values[f"pgha_failover_blocked{{node2,{r}}}"] for r in BLOCKED_REASONS}
        assert not any(blocked.values())
        assert values["pgha_cluster_members{}"] == 2


def test_etcd_of_every_version_tells_its_size_and_index(setup: Setup) -> None:
    for exporter in setup.exporters:
        values = settled(exporter)
        assert values["pgha_etcd_member_is_leader{etcd1}"] == 1
        assert values["pgha_etcd_member_is_learner{etcd1}"] == 0
        size, used = (
            values[f"pgha_etcd_db_{what}_bytes{{etcd1}}"] for what in ("size", "in_use")
        )  # fmt: skip
        assert 0 < used <= size
        assert values["pgha_etcd_raft_applied_lag{etcd1}"] <= 2


def test_lag_is_there_for_every_member(setup: Setup) -> None:
    for exporter in setup.exporters:
        values = settled(exporter)
        for stage in ("receive", "replay"):
            assert values[f"pgha_member_lag_bytes{{node1,{stage}}}"] == 0
            assert values[f"pgha_member_lag_bytes{{node2,{stage}}}"] < 1 << 20
        assert values["pgha_member_lag_seconds{node1}"] == 0
        assert values["pgha_member_lag_seconds{node2}"] < 10


def test_a_replica_that_does_not_replay_lags_in_bytes_and_seconds(setup: Setup) -> None:
    cluster = setup.cluster
    cluster.signal_replay("STOP")
    try:
        cluster.sql("INSERT INTO filling SELECT repeat('x', 1000) FROM generate_series(1, 3000)")
        for exporter in setup.exporters:
            exporter.wait_for(
                "the lag to be seen",
                lambda v: (
                    v["pgha_member_lag_bytes{node2,replay}"] > 2_000_000
                    and v["pgha_member_lag_bytes{node2,receive}"] < 1_000_000
                    and v["pgha_member_lag_seconds{node2}"] > 3
                ),
                SEEN_S,
            )
    finally:
        cluster.signal_replay("CONT")
    for exporter in setup.exporters:
        exporter.wait_for(
            "the lag to be gone", lambda v: v["pgha_member_lag_seconds{node2}"] == 0, SEEN_S
        )


def test_certificates_end_in_a_year(setup: Setup) -> None:
    if not setup.cluster.versions.tls:
        assert not [n for n in setup.leader.scrape() if n.startswith("pgha_certificate_")]
        return
    for exporter in setup.exporters:
        member = exporter.member
        postgres, api = (5432, 8008) if member == "node1" else (5433, 8009)
        values = exporter.scrape()
        for use in ("server", *(f"served-{p}" for p in (postgres, api, exporter.port))):
            left = values[f"pgha_certificate_not_after_timestamp_seconds{{{member},{use}}}"]
            assert left - time.time() == pytest.approx(YEAR_S, abs=86400)


def test_a_lost_etcd_takes_only_its_own_metrics_along(setup: Setup) -> None:
    for exporter in setup.exporters:
        settled(exporter)
    setup.cluster.kill_etcd()
    try:
        for exporter in setup.exporters:
            exporter.wait_for("etcd to be down", lambda v: sources(v)["etcd"] == 0)
            values = timed(exporter)
            assert [name for name, up in sources(values).items() if not up] == ["etcd"]
            assert values["pgha_etcd_has_quorum{}"] == 0
            assert values["pgha_source_errors_total{refused,etcd}"] > 0
            assert exporter.get("/-/ready").status_code == 200
        # Patroni is in failsafe mode: it keeps its leader, and cannot say who is there.
        for exporter in setup.exporters:
            exporter.wait_for(
                "lag and candidates in failsafe mode",
                lambda v: (
                    1 in failsafe(v)
                    and v.get("pgha_member_lag_seconds{node2}", 99) < 10
                    and v.get("pgha_member_lag_bytes{node2,replay}", 1 << 30) < 1 << 20
                    and v.get("pgha_failover_candidates{}") == 1
                ),
            )
            values = timed(exporter)
            leads = exporter is setup.leader
            assert values[f"pgha_postgres_writable{{{exporter.member}}}"] == leads
            assert values["pgha_cluster_has_leader{}"] == 1
    finally:
        setup.cluster.start_etcd()
    for exporter in setup.exporters:
        assert sources(settled(exporter))["etcd"] == 1


def test_no_password_is_shown_anywhere(setup: Setup) -> None:
    cluster = setup.cluster
    secrets = (cluster.monitor, cluster.superuser, cluster.web, *cluster.logins.values())
    for exporter in setup.exporters:
        for text in (exporter.get("/metrics").text, exporter.get("/").text, exporter.log):
            assert text
            assert not [secret for secret in secrets if secret in text]


def test_who_has_no_password_gets_nothing(setup: Setup) -> None:
    expected = 401 if setup.cluster.versions.tls else 200
    assert setup.leader.get("/metrics", password=False).status_code == expected
