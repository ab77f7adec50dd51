"""A whole scrape: what is published of a cluster, and of one that is broken."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pgha_exporter import names
from pgha_exporter.changes import ChangeCounts
from pgha_exporter.etcd.collector import Durations, EtcdFacts
from pgha_exporter.etcd.model import Lease
from pgha_exporter.exporter import Collection, Exporter
from pgha_exporter.facts import Facts, Seen
from pgha_exporter.lag import WalHistory
from pgha_exporter.publish import cluster, etcd, node, rest
from pgha_exporter.route import Route
from pgha_exporter.samples import Samples
from pgha_exporter.server import ServerFacts, Space
from pgha_exporter.settings import Settings
from pgha_exporter.source import FRESH_S, Status
from pgha_exporter.sources import patroni_prefix
from pgha_exporter.web.config import Access
from pgha_exporter.web.home import home
from pgha_exporter.web.pages import Pages, budget
from pgha_exporter.web.request import Request
from pgha_exporter.web.server import Server
from tests.unit.clients.servers import hung_server, silence
from tests.unit.exporter.etcd_server import fake_etcd
from tests.unit.exporter.support import (
    NAMES,
    NOW,
    etcd_facts,
    fake_patroni,
    healthy,
    leader_own,
    own,
    postgres_facts,
    until,
    url,
)

LEADER, ME, OTHER = NAMES


def published(facts: Facts, history: WalHistory | None = None) -> Samples:
    samples = Samples("main")
    node.publish(samples, facts)
    cluster.publish(samples, facts, history or WalHistory(), 3)
    etcd.publish(samples, facts, Durations(), 2048)
    rest.publish(samples, facts)
    rest.routes(samples, facts, configured=True)
    return samples


def test_a_healthy_replica() -> None:
    samples = published(healthy())
    value = samples.value
    assert value(names.POSTGRES_UP, ME) == 1
    assert value(names.POSTGRES_WRITABLE, ME) == 0
    assert value(names.LEADER_LOCK_HELD, ME) == 0
    assert value(names.ROLE, ME, "replica") == 1
    assert value(names.WAL_POSITION, ME, "replay") == 83886752
    assert value(names.WAL_POSITION, ME, "current") is None
    assert value(names.FAILOVER_CANDIDATES) == 2
    assert value(names.CLUSTER_TIMELINE) == 2
    assert value(names.ETCD_FAILURE_TOLERANCE) == 1
    assert value(names.ETCD_MEMBER_UP, "e1") == 1
    assert value(names.ETCD_DB_QUOTA, "e1") == 2048
    assert value(names.LEADER_LEASE_REMAINING) == 25
    assert value(names.SLOT_WAL_STATUS, ME, "postgres_node_3", "reserved") == 1


def test_postgresql_down_means_explicit_zeros_and_no_old_facts() -> None:
    samples = published(healthy(postgres=None))
    value = samples.value
    assert (value(names.POSTGRES_UP, ME), value(names.POSTGRES_WRITABLE, ME)) == (0, 0)
    assert value(names.ROLE, ME, "none") == 1
    for absent in (names.POSTGRES_TIMELINE, names.POSTGRES_IN_RECOVERY, names.REPLAY_PAUSED):
        assert value(absent, ME) is None


def test_a_writable_server_without_the_lock_shows() -> None:
    samples = published(healthy(postgres=postgres_facts(in_recovery=False, read_only=False)))
    assert samples.value(names.POSTGRES_WRITABLE, ME) == 1
    assert samples.value(names.LEADER_LOCK_HELD, ME) == 0
    assert samples.value(names.ROLE, ME, "leader") == 1


def test_etcd_decides_who_holds_the_lock_and_patroni_while_it_is_silent() -> None:
    lock = {url(n): etcd_facts(n, leader=ME) for n in (1, 2, 3)}
    assert published(healthy(etcd=lock)).value(names.LEADER_LOCK_HELD, ME) == 1
    free = {url(n): etcd_facts(n, leader=None) for n in (1, 2, 3)}
    assert published(healthy(etcd=free)).value(names.CLUSTER_HAS_LEADER) == 0
    silent = dict.fromkeys((url(1), url(2), url(3)))
    samples = published(healthy(etcd=silent))
    assert samples.value(names.ETCD_HAS_QUORUM) == 0
    assert samples.value(names.ETCD_FAILURE_TOLERANCE) == -2
    assert samples.value(names.CLUSTER_HAS_LEADER) == 1


def test_the_last_etcd_failure_before_the_loss_is_the_edge() -> None:
    etcd_ = {url(1): etcd_facts(1), url(2): etcd_facts(2), url(3): None}
    samples = published(healthy(etcd=etcd_))
    assert samples.value(names.ETCD_FAILURE_TOLERANCE) == 0
    assert samples.value(names.ETCD_MEMBER_UP, "e3") == 0
    assert samples.value(names.ETCD_DB_SIZE, "e3") is None


def test_an_alarm_of_etcd_shows() -> None:
    facts = etcd_facts(1)
    status = type(facts.status)(**{**vars(facts.status), "errors": ("memberID:1 alarm:NOSPACE",)})
    samples = published(healthy(etcd={url(1): etcd_facts(1, status=status)}))
    assert samples.value(names.ETCD_ALARM, "e1", "nospace") == 1
    assert samples.value(names.ETCD_ALARM, "e1", "corrupt") == 0


def lag(facts: Facts, member: str, history: WalHistory | None = None) -> tuple[Any, Any, Any]:
    samples = published(facts, history)
    return (
        samples.value(names.MEMBER_LAG_BYTES, member, "receive"),
        samples.value(names.MEMBER_LAG_BYTES, member, "replay"),
        samples.value(names.MEMBER_LAG_SECONDS, member),
    )


def behind(location: int = 2000, received: int = 1500, replayed: int = 1000) -> dict[str, Any]:
    return {
        "polled": {
            LEADER: Seen(leader_own(location=location), NOW - 2),
            ME: Seen(own(received=received, replayed=replayed), NOW - 2),
        },
        "positions": {ME: (replayed, NOW - 2)},
    }


def test_lag_compares_what_was_seen_at_the_same_time() -> None:
    history = WalHistory()
    history.add(NOW - 32, 900)
    history.add(NOW - 22, 2000)
    assert lag(healthy(**behind()), ME, history) == (500, 1000, 20)
    assert lag(healthy(**behind()), LEADER, history) == (0, 0, 0)


def test_lag_of_a_silent_member_is_patronis_in_bytes_and_grows_in_seconds() -> None:
    history = WalHistory()
    history.add(NOW - 60, 2000)
    facts = behind()
    del facts["polled"][ME]
    assert lag(healthy(**facts), ME, history) == (0, 0, 60)


def test_looks_too_far_apart_are_not_compared() -> None:
    facts = behind()
    facts["polled"][LEADER] = Seen(leader_own(location=2000), NOW - 9)
    assert lag(healthy(**facts), ME)[:2] == (0, 0)


def test_a_member_that_does_not_answer_is_no_candidate() -> None:
    facts = healthy(polled={LEADER: Seen(leader_own(), NOW), ME: Seen(own(), NOW)})
    samples = published(facts)
    assert samples.value(names.FAILOVER_CANDIDATES) == 1
    assert samples.value(names.FAILOVER_BLOCKED, OTHER, "unreachable") == 1
    assert samples.value(names.FAILOVER_BLOCKED, LEADER, "unreachable") is None


def test_without_patroni_the_rest_is_still_there() -> None:
    samples = published(healthy(patroni=None, polled={}))
    assert samples.value(names.POSTGRES_UP, ME) == 1
    assert samples.value(names.CLUSTER_MEMBERS) is None
    assert samples.value(names.FAILOVER_CANDIDATES) is None
    assert samples.value(names.CLUSTER_MEMBERS_EXPECTED) == 3


def test_routes_that_are_not_known_to_work_do_not() -> None:
    samples = published(healthy(routes={"rw": Route(True, 0.01, "")}))
    assert samples.value(names.ROUTE_OK, "rw") == 1
    assert samples.value(names.ROUTE_OK, "ro") == 0
    assert samples.value(names.ROUTE_DURATION, "ro") is None


def test_space_and_certificates() -> None:
    server = ServerFacts({"ca": 5.0}, {"data": Space(1, 2)})
    samples = published(healthy(server=server))
    assert samples.value(names.CERTIFICATE_NOT_AFTER, ME, "ca") == 5
    assert samples.value(names.FILESYSTEM_AVAIL, ME, "data") == 1


@pytest.mark.parametrize(
    ("told", "seen", "unknown"),
    [(77.0, 0.0, 77), (77.0, 150.0, 77), (120.0, 0.0, 120), (150.3, 150.0, 0), (0.0, 0.0, 0)],
    ids=["before the start", "and one since", "not seen", "seen", "never"],
)
def test_a_change_that_was_not_seen_has_no_known_cause(
    told: float, seen: float, unknown: float
) -> None:
    samples = Samples("main")
    last = {**dict.fromkeys(names.CAUSES, 0.0), "failover": seen}
    counts = ChangeCounts(dict.fromkeys(names.CAUSES, 0), last, 0.0)
    cluster.changes(samples, counts, told, started_at=100.0)
    assert samples.value(names.LAST_LEADER_CHANGE, "unknown") == unknown
    assert samples.value(names.LAST_LEADER_CHANGE, "failover") == seen


def test_series_stay_below_two_hundred_and_fifty() -> None:
    """What the design allows for one node of a cluster of three."""
    samples = published(healthy())
    rest.sources(samples, dict.fromkeys(names.SOURCES, status()))
    assert sum(len(family.samples) for family in samples.families()) < 250


def status(up: bool = True, failure: str | None = None) -> Status:
    return Status(up, 1.0, 0.001, 0.0, dict.fromkeys(names.ERROR_REASONS, 0), failure)


def page(facts: Facts, statuses: dict[str, Status] | None = None) -> str:
    collection = Collection(NOW, NOW, facts, Samples("main"), statuses or {"patroni": status()})
    return home(Settings(scope="main", member=ME), collection)


def test_the_page_of_a_healthy_node() -> None:
    text = page(healthy())
    assert "All is well" in text
    assert f'<td data-label="Member">{OTHER}</td>' in text
    assert text.count(' class="yes">yes</td>') == 3
    assert f"This node is a replica of {LEADER}." in text
    assert "3 of 3 voters answer, 1 may be lost" in text


def test_the_page_tells_how_far_behind_each_member_is() -> None:
    facts = healthy()
    samples = Samples("main")
    samples.add(names.MEMBER_LAG_BYTES, 5 * 2**20, ME, "replay")
    samples.add(names.MEMBER_LAG_SECONDS, 12.4, ME)
    text = home(
        Settings(scope="main", member=ME),
        Collection(NOW, NOW, facts, samples, {"patroni": status()}),
    )
    assert '<td data-label="Behind">5 MiB, 12 s</td>' in text
    # Of the third member nothing is known.
    assert '<td data-label="Behind">unknown</td>' in text


def test_the_page_names_what_is_wrong() -> None:
    facts = healthy(
        postgres=None,
        etcd=dict.fromkeys((url(1), url(2))),
        routes={"rw": Route(False, None, "refused")},
    )
    text = page(facts, {"etcd": status(False, "no answer")})
    for sentence in ("does not answer", "cannot be read with quorum", "route rw", "no answer"):
        assert sentence in text


def test_the_page_escapes_what_comes_from_elsewhere() -> None:
    text = page(healthy(), {"patroni": status(False, "<script>alert(1)</script>")})
    assert "<script>" not in text


@contextmanager
def running(**changes: Any) -> Iterator[Exporter]:
    with ExitStack() as stack:
        patroni = stack.enter_context(fake_patroni())
        settings = {
            "scope": "main",
            "member": ME,
            "patroni_url": patroni.url,
            "postgres_dsn": "host=127.0.0.1 port=1 dbname=postgres user=nobody",
            **changes,
        }
        exporter = Exporter(Settings(**settings))
        exporter.start()
        yield exporter
        exporter.stop()


def values(text: str) -> dict[str, float]:
    """The samples by name and labels without ``scope``."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(v for k, v in sorted(sample.labels.items()) if k != "scope")
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def scrape(exporter: Exporter) -> dict[str, float]:
    return values(exporter.metrics("")[0].decode())


def test_a_scrape_has_the_living_sources_and_the_dead_one() -> None:
    with running() as exporter:
        found = scrape(exporter)
    assert found["pgha_source_up{patroni}"] == 1
    assert found["pgha_source_up{postgres}"] == 0
    assert found["pgha_source_errors_total{refused,postgres}"] == 1
    assert found["pgha_cluster_members{}"] == 3
    assert "process_resident_memory_bytes{}" in found


def test_members_are_asked_for_themselves_before_the_first_answer() -> None:
    with running() as exporter:
        assert scrape(exporter)["pgha_failover_candidates{}"] == 2


def test_whatever_is_frozen_a_scrape_comes_in_time() -> None:
    frozen = {"GET /patroni": silence, "GET /cluster": silence}
    with ExitStack() as stack:
        patroni = stack.enter_context(fake_patroni(routes=frozen))
        etcd_url = stack.enter_context(hung_server())
        postgres = stack.enter_context(hung_server()).rsplit(":", 1)[-1]
        exporter = stack.enter_context(
            running(
                patroni_url=patroni.url,
                postgres_dsn=f"host=127.0.0.1 port={postgres} dbname=postgres user=nobody",
                etcd_endpoints=(etcd_url,),
            )
        )
        started = time.monotonic()
        collection = exporter.collect(0.4)
        assert time.monotonic() - started < 1
        assert not any(found.up for found in collection.statuses.values())
        assert collection.samples.value(names.ETCD_HAS_QUORUM) == 0
        assert collection.samples.value(names.POSTGRES_UP, ME) == 0


def test_a_hundred_scrapers_ask_the_sources_once() -> None:
    with running() as exporter:
        threads = [threading.Thread(target=exporter.metrics, args=("",)) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        exporter._last = None
        found = scrape(exporter)
    assert found["pgha_collections_total{}"] == 2
    assert found["pgha_scrapes_total{}"] == 100


def test_pages_over_http() -> None:
    with running() as exporter:
        server = Server(("127.0.0.1", 0), Access(""), Pages(exporter))
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{server.port}", trust_env=False
            ) as client:
                _check_pages(client)
        finally:
            server.stop()
            thread.join()


def _check_pages(client: httpx.Client) -> None:
    assert client.get("/-/healthy").text == "The exporter runs.\n"
    assert client.get("/-/ready").status_code == 200
    plain = client.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())).startswith(b"# HELP pgha_build_info")
    opened = client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )
    assert opened.text.endswith("# EOF\n")
    assert "PostgreSQL on this node does not answer" in client.get("/").text
    assert client.get("/nothing").status_code == 404


@pytest.mark.parametrize(
    ("header", "expected"),
    [("10", 2.4), ("1", 0.5), ("0", 0.3), ("x", 2.4), ("nan", 2.4), ("", 2.4)],
)
def test_the_scrapers_own_timeout_is_kept(header: str, expected: float) -> None:
    request = Request("GET", "/metrics", "", {"x-prometheus-scrape-timeout-seconds": header}, True)
    assert budget(request) == expected


def test_no_secret_is_published_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "password"
    secret.write_text("never-to-be-seen")
    with running(postgres_password_file=str(secret)) as exporter:
        text = exporter.metrics("")[0].decode()
    assert "never-to-be-seen" not in text + caplog.text


def test_positions_of_a_replaced_database_system_are_forgotten() -> None:
    with running() as exporter:
        exporter._history.add(1.0, 9000)
        for identifier in ("7001", "7001"):
            exporter._know(identifier)
        assert exporter._history.newest == 9000
        exporter._know("7002")
        assert exporter._history.newest is None


def shown_lease(*reads: EtcdFacts) -> float | None:
    etcd = {url(number): read for number, read in enumerate(reads)}
    return published(healthy(etcd=etcd)).value(names.LEADER_LEASE_REMAINING)


def test_the_lease_is_shown_less_the_time_since_it_was_asked_for() -> None:
    older = etcd_facts(1, at=NOW - 2, lease=Lease(77, 25.0, NOW - 2))
    assert shown_lease(older, etcd_facts(2, lease=None)) == 23
    assert shown_lease(older, etcd_facts(2, leader=None, lease=None)) is None
    assert shown_lease(etcd_facts(1, lease=Lease(77, 2.0, NOW - 3))) == 0


def test_a_member_that_was_asked_before_a_renewal_does_not_hide_it() -> None:
    renewed = etcd_facts(1, at=NOW - 1, lease=Lease(77, 29.0, NOW - 1))
    assert shown_lease(renewed, etcd_facts(2, lease=Lease(77, 22.0, NOW - 6))) == 28


def test_neither_an_earlier_leaders_lease_nor_an_old_answer_is_shown() -> None:
    earlier = etcd_facts(1, lease=Lease(76, 29.0, NOW))
    assert shown_lease(earlier, etcd_facts(2, lease=Lease(77, 22.0, NOW - FRESH_S))) is None


def test_a_route_that_failed_is_checked_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgha_exporter.sources.ROUTE_AGAIN_S", 0.0)
    with running(route_host="127.0.0.1", route_rw_port=1, route_ro_port=1) as exporter:
        checked = [0.0]
        for _ in range(3):  # a tick each
            assert until(lambda: exporter._sources.statuses()["route"].last_success > checked[-1])
            checked.append(exporter._sources.statuses()["route"].last_success)
        assert checked[-1] - checked[1] < 5


def test_when_the_lease_is_renewed_is_told_by_patroni() -> None:
    with running() as exporter:
        assert exporter._sources.turns.lease_renewed_at == float("inf")
        exporter.collect()
        assert exporter._sources.turns.lease_renewed_at == 30 - 10  # ttl - loop_wait


def test_patroni_is_asked_again_when_etcd_names_another_leader() -> None:
    key = f"{patroni_prefix(Settings(scope='main', member=ME))}leader"
    with fake_patroni() as patroni, fake_etcd() as etcd:
        etcd.keys = {key: (LEADER, 77)}
        etcd_settings = {"etcd_endpoints": (etcd.url,), "etcd_protocol": "grpc"}
        with running(patroni_url=patroni.url, **etcd_settings) as exporter:
            asked = []
            for leader in (LEADER, LEADER, OTHER):
                etcd.keys = {key: (leader, 77)}
                exporter._last = None
                exporter.collect()
                asked.append(sum(path == "/cluster" for _, path, _, _ in patroni.requests))
    assert asked[:2] == [1, 1]
    assert asked[2] == 2
