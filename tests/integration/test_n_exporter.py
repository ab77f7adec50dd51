"""The exporter of every server: what it says of a healthy cluster, and of a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pgha.wait import Pending, poll
from tests.support.lab import Deploy, Lab

PORT = 8010
CA = "/etc/pgha/coolify_postgres/ca.crt"
SEEN_S = 120
Values = dict[str, float]


def scrape(lab: Lab, server: str) -> Values:
    """Samples of a server's exporter by ``name{label values without scope}``."""
    return values(exposition(lab, server))


def exposition(lab: Lab, server: str) -> list[Metric]:
    """What a server's exporter publishes."""
    password = lab.read_secret("postgresql/exporter_password.txt")
    url = f"https://{lab.address(server)}:{PORT}/metrics"
    # The configuration on standard input keeps the password off the command line.
    settings = f'user = "prometheus:{password}"\ncacert = "{CA}"\n'
    text = lab.run(
        lab.controller, "curl", "-sS", "--fail", "--max-time", "10", "-K", "-", url, stdin=settings
    )
    assert text.returncode == 0, text.stderr
    return list(text_string_to_metric_families(text.stdout))


def values(families: Iterable[Metric]) -> Values:
    found = {}
    for family in families:
        for sample in family.samples:
            labels = [value for key, value in sorted(sample.labels.items()) if key != "scope"]
            found[f"{sample.name}{{{','.join(labels)}}}"] = sample.value
    return found


def of(metric: str, *labels: str) -> str:
    return f"{metric}{{{','.join(labels)}}}"


def wait_for(lab: Lab, server: str, what: str, check: Callable[[Values], bool]) -> Values:
    def look() -> Values | Pending:
        found = scrape(lab, server)
        return found if check(found) else Pending("not yet")

    return poll(look, deadline_s=SEEN_S, interval_s=0.5, what=what)


@pytest.fixture
def members(cluster: Lab) -> dict[str, str]:
    """Server by node name."""
    return {node["name"]: node["host"] for node in cluster.nodes()}


def test_every_source_of_every_server_answers(cluster: Lab, members: dict[str, str]) -> None:
    for name, server in members.items():
        found = wait_for(
            cluster, server, f"all sources of {name}",
            lambda v, name=name: all_well(v, name),
        )  # fmt: skip
        assert found["pgha_cluster_members{}"] == len(members)


def all_well(found: Values, name: str) -> bool:
    """Whether every source answers and says that all is well; each is asked in its own time."""
    sources = [up for key, up in found.items() if key.startswith("pgha_source_up{")]
    wanted = (of("pgha_postgres_up", name), "pgha_etcd_has_quorum{}", "pgha_route_ok{rw}",
              "pgha_route_ok{ro}")  # fmt: skip
    return all(sources) and all(found.get(key) == 1 for key in wanted)


def test_one_leader_and_everybody_else_can_take_over(cluster: Lab, members: dict[str, str]) -> None:
    for server in members.values():
        wait_for(
            cluster, server, "all replicas to be candidates",
            lambda v: v.get("pgha_failover_candidates{}") == len(members) - 1,
        )  # fmt: skip
    scrapes = {name: scrape(cluster, server) for name, server in members.items()}
    leaders = [name for name, v in scrapes.items() if v[of("pgha_leader_lock_held", name)]]
    writable = [name for name, v in scrapes.items() if v[of("pgha_postgres_writable", name)]]
    assert leaders == writable
    assert len(leaders) == 1


def test_members_that_are_alike_have_the_same_hashes(cluster: Lab, members: dict[str, str]) -> None:
    def alike() -> bool | Pending:
        hashes = {hash_ for server in members.values() for hash_ in hashes_of(cluster, server)}
        missing = any("" in hash_ for hash_ in hashes)
        return Pending(f"{hashes}") if missing or len(hashes) != 1 else True

    poll(alike, deadline_s=SEEN_S, interval_s=0.5, what="the same hashes on every server")


def hashes_of(lab: Lab, server: str) -> list[tuple[str, ...]]:
    """The hashes of what all members share; a change reaches each of them in its own time."""
    found = []
    for key in scrape(lab, server):
        if key.startswith("pgha_config_info{"):
            dcs, hba, _member, settings = key[len("pgha_config_info{") : -1].split(",")
            found.append((dcs, hba, settings))
    return found or [("",)]


@contextmanager
def stopped(lab: Lab, server: str, process: str) -> Iterator[None]:
    """Every process of that name on a server frozen, as a stuck disk would."""
    lab.check(server, "pkill", "-STOP", "-x", process)
    try:
        yield
    finally:
        lab.check(server, "pkill", "-CONT", "-x", process)


def test_a_frozen_replica_is_down_and_no_candidate_while_scrapes_go_on(
    cluster: Lab, members: dict[str, str]
) -> None:
    leader = cluster.leader()
    name, server = next((n, s) for n, s in members.items() if s != leader)
    with stopped(cluster, server, "postgres"):
        wait_for(
            cluster, server, "the frozen server to be down",
            lambda v: v.get(of("pgha_postgres_up", name)) == 0
            and v["pgha_source_up{postgres}"] == 0 and v["pgha_source_up{etcd}"] == 1,
        )  # fmt: skip
        wait_for(
            cluster, leader, "the leader's exporter to see it",
            lambda v: v.get(of("pgha_failover_blocked", name, "unreachable")) == 1,
        )  # fmt: skip
    wait_for(cluster, server, "it to be back", lambda v: v.get(of("pgha_postgres_up", name)) == 1)


def test_the_exporter_needs_a_password(cluster: Lab, first_deploy: Deploy) -> None:
    url = f"https://{cluster.address(cluster.controller)}:{PORT}"
    code = ("-sk", "-o", "/dev/null", "-w", "%{http_code}")
    assert cluster.check(cluster.controller, "curl", *code, f"{url}/metrics").strip() == "401"
    assert cluster.check(cluster.controller, "curl", *code, f"{url}/-/healthy").strip() == "200"
