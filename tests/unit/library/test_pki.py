from __future__ import annotations

import dataclasses
import os
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pgha.certificates import (
    COMPONENTS,
    MASTER,
    Authority,
    certificate_pem,
    issue,
    leaf_requests,
    parse_certificate,
    parse_key,
)
from pgha.errors import DamagedStateError, NotFoundError
from pgha.pki import Pki, ensure_pki, missing_pki
from pgha.secrets import SecretStore
from pgha.topology import Topology
from tests.unit.library.together import together

TODAY = datetime(2026, 9, 1, tzinfo=timezone.utc)
NODE = "postgres-node-2"


class Clock:
    def __init__(self) -> None:
        self.time = TODAY

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pki(tmp_path: Path, clock: Clock) -> Pki:
    return Pki(tmp_path / "state/pki", clock)


@pytest.fixture
def issued(pki: Pki, topology: Topology) -> Pki:
    pki.ensure_ca()
    pki.ensure_node_certificates(topology)
    return pki


def certificate(pki: Pki, component: str, node: str = NODE) -> x509.Certificate:
    return parse_certificate(pki.node_bundle(node)[component]["crt"])


def names(found: x509.Certificate) -> list[str]:
    extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in extension]


def test_first_run_issues_one_per_node_and_component(pki: Pki, topology: Topology) -> None:
    assert pki.ensure_ca() == ["ca.key", "ca.crt"]

    wanted = {f"{node.name}/{part}" for node in topology.nodes for part in COMPONENTS}
    assert set(pki.ensure_node_certificates(topology)) == {*wanted, f"{MASTER}/superuser"}


def test_only_the_masters_certificate_names_the_superuser(issued: Pki) -> None:
    """PostgreSQL compares the common name with the role, so no node's certificate may have it."""
    found = {path: parse_certificate(path.read_text()) for path in issued.root.rglob("*.crt")}
    named = [
        path
        for path, each in found.items()
        if each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "postgres"
    ]
    assert named == [issued.superuser()]
    assert issued.superuser() == issued.root / "master" / "superuser.crt"


def test_second_run_changes_nothing(issued: Pki, topology: Topology) -> None:
    before = {path: path.read_bytes() for path in issued.root.rglob("*") if path.is_file()}

    assert issued.ensure_ca() == []
    assert issued.ensure_node_certificates(topology) == []
    assert {path: path.read_bytes() for path in issued.root.rglob("*") if path.is_file()} == before


def test_files_are_the_owners_only(issued: Pki) -> None:
    modes = {path.stat().st_mode & 0o777 for path in issued.root.rglob("*") if path.is_file()}

    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in issued.root.rglob("*") if path.is_dir()} == {
        0o700
    }


@pytest.mark.parametrize("component", ["postgresql", "pgbouncer"])
def test_databases_answer_to_the_clusters_name(issued: Pki, component: str) -> None:
    assert names(certificate(issued, component)) == [
        "db.postgres.host.uk.com",
        NODE,
        "app-server-2.lan",
        "localhost",
        "172.28.0.21",
        "127.0.0.1",
    ]


@pytest.mark.parametrize("component", ["etcd-server", "patroni"])
def test_other_servers_answer_to_their_own_names(issued: Pki, component: str) -> None:
    expected = [NODE, "app-server-2.lan", "localhost", "172.28.0.21", "127.0.0.1"]
    assert names(certificate(issued, component)) == expected


def test_usages(issued: Pki) -> None:
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    expected = {
        "etcd-server": [server, client],
        "etcd-client": [client],
        "patroni": [server],
        "postgresql": [server],
        "pgbouncer": [server],
        "exporter": [server],
    }
    usages = {
        part: list(
            certificate(issued, part)
            .extensions.get_extension_for_class(x509.ExtendedKeyUsage)
            .value
        )
        for part in COMPONENTS
    }

    assert usages == expected


def test_patroni_is_known_to_etcd_by_its_node(issued: Pki) -> None:
    subject = certificate(issued, "etcd-client").subject.rfc4514_string()

    assert subject == f"CN=patroni-{NODE}"


def test_lifetimes(issued: Pki) -> None:
    ca = parse_certificate(issued.ca_certificate())

    assert (ca.not_valid_after_utc - TODAY).days == 3652
    assert (certificate(issued, "patroni").not_valid_after_utc - TODAY).days == 365


def test_openssl_accepts_the_chain_and_the_name(tmp_path: Path, topology: Topology) -> None:
    """With today's clock, in Python's own TLS: the client verifies what the server presents."""
    pki = Pki(tmp_path / "pki")
    pki.ensure_ca()
    pki.ensure_node_certificates(topology)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pki.leaf(NODE, "postgresql"), pki.leaf(NODE, "postgresql", "key"))
    client = ssl.create_default_context(cadata=pki.ca_certificate())
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    assert handshake(client, server, "db.postgres.host.uk.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(client, server, "db.evil.example")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname=name)
    answering = server.wrap_bio(up, down, server_side=True)
    for _ in range(5):
        done = 0
        for side in (asking, answering):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
        if done == 2:
            return True
    return False


class TestRenewal:
    @pytest.mark.parametrize(("days", "renewed"), [(334, False), (336, True), (400, True)])
    def test_30_days_before_the_end(
        self, issued: Pki, topology: Topology, clock: Clock, days: int, renewed: bool
    ) -> None:
        clock.time += timedelta(days=days)

        assert bool(issued.ensure_node_certificates(topology)) is renewed
        assert issued.ensure_node_certificates(topology) == []

    def test_when_the_cluster_gets_another_name(self, issued: Pki, pillar: dict[str, Any]) -> None:
        pillar["postgresql_hostname"] = "pg.example.com"

        renewed = issued.ensure_node_certificates(Topology.from_pillar(pillar))

        assert {name.split("/")[1] for name in renewed} == {"postgresql", "pgbouncer"}
        assert "pg.example.com" in names(certificate(issued, "pgbouncer"))

    def test_of_the_node_that_moved_only(self, issued: Pki, pillar: dict[str, Any]) -> None:
        pillar["postgresql_nodes"][1]["ip"] = "172.28.0.99"

        renewed = issued.ensure_node_certificates(Topology.from_pillar(pillar))

        assert {name.split("/")[0] for name in renewed} == {NODE}
        assert f"{NODE}/etcd-client" not in renewed

    def test_when_the_key_belongs_to_another_certificate(
        self, issued: Pki, topology: Topology
    ) -> None:
        """As a run leaves it that is killed between writing the key and the certificate."""
        other = issued.leaf(NODE, "postgresql", "key").read_text()
        issued.leaf(NODE, "patroni", "key").write_text(other)

        assert issued.ensure_node_certificates(topology) == [f"{NODE}/patroni"]

    @pytest.mark.parametrize("kind", ["crt", "key"])
    @pytest.mark.parametrize("content", ["", "-----BEGIN NONSENSE-----", "é"])
    def test_when_a_file_is_unreadable(
        self, issued: Pki, topology: Topology, kind: str, content: str
    ) -> None:
        issued.leaf(NODE, "patroni", kind).write_text(content)

        assert issued.ensure_node_certificates(topology) == [f"{NODE}/patroni"]

    def test_when_another_ca_signed_it(
        self, issued: Pki, topology: Topology, tmp_path: Path, clock: Clock
    ) -> None:
        other = Pki(tmp_path / "other", clock)
        other.ensure_ca()
        other.ensure_node_certificates(topology)
        for kind in ("crt", "key"):
            foreign = other.leaf(NODE, "patroni", kind).read_text()
            issued.leaf(NODE, "patroni", kind).write_text(foreign)

        assert issued.ensure_node_certificates(topology) == [f"{NODE}/patroni"]

    @pytest.mark.parametrize(
        "other",
        [
            {"usages": (ExtendedKeyUsageOID.CLIENT_AUTH,)},
            {"common_name": "somebody"},
            {"dns_names": ("somewhere.lan",)},
            {"addresses": ()},
        ],
    )
    def test_when_it_says_something_else_than_asked(
        self, issued: Pki, topology: Topology, clock: Clock, other: dict[str, Any]
    ) -> None:
        ca = parse_certificate(issued.ca_certificate())
        authority = Authority(ca, parse_key((issued.root / "ca.key").read_text()))
        node = topology.node(NODE)
        asked = next(each for each in leaf_requests(topology, node) if each.component == "patroni")
        key = parse_key(issued.leaf(NODE, "patroni", "key").read_text())
        old = issue(dataclasses.replace(asked, **other), key, authority, clock())
        issued.leaf(NODE, "patroni").write_text(certificate_pem(old))

        assert issued.ensure_node_certificates(topology) == [f"{NODE}/patroni"]

    def test_when_the_clock_was_ahead(self, pki: Pki, topology: Topology, clock: Clock) -> None:
        pki.ensure_ca()
        clock.time += timedelta(days=20)
        pki.ensure_node_certificates(topology)
        clock.time = TODAY

        assert len(pki.ensure_node_certificates(topology)) == 25

    def test_never_outlives_the_ca_and_is_not_repeated_at_its_end(
        self, issued: Pki, topology: Topology, clock: Clock
    ) -> None:
        ca = parse_certificate(issued.ca_certificate())
        clock.time = ca.not_valid_after_utc - timedelta(days=10)

        assert len(issued.ensure_node_certificates(topology)) == 25
        assert certificate(issued, "patroni").not_valid_after_utc == ca.not_valid_after_utc
        assert issued.ensure_node_certificates(topology) == []


class TestDamagedAuthority:
    def test_expired(self, issued: Pki, topology: Topology, clock: Clock) -> None:
        clock.time += timedelta(days=3653)

        with pytest.raises(DamagedStateError, match=r"The CA in .*ca\.crt expired on 2036-"):
            issued.ensure_node_certificates(topology)
        with pytest.raises(DamagedStateError, match="expired"):
            issued.ensure_ca()

    def test_key_of_another(self, issued: Pki, tmp_path: Path, clock: Clock) -> None:
        other = Pki(tmp_path / "other", clock)
        other.ensure_ca()
        (issued.root / "ca.key").write_text((other.root / "ca.key").read_text())

        with pytest.raises(DamagedStateError, match=r"ca\.key does not belong to the certificate"):
            issued.ensure_ca()

    def test_key_lost(self, issued: Pki) -> None:
        (issued.root / "ca.key").unlink()

        with pytest.raises(DamagedStateError, match="key of the CA is missing"):
            issued.ensure_ca()

    @pytest.mark.parametrize("name", ["ca.crt", "ca.key"])
    def test_not_pem(self, issued: Pki, name: str) -> None:
        (issued.root / name).write_text("garbage")

        with pytest.raises(DamagedStateError, match=rf"{name} is not the PEM text") as caught:
            issued.ensure_ca()
        assert "\n" not in str(caught.value)


def test_a_half_created_ca_is_finished(pki: Pki) -> None:
    """A run that is killed after writing the key and before the certificate."""
    pki.ensure_ca()
    (pki.root / "ca.crt").unlink()
    key = (pki.root / "ca.key").read_text()

    assert pki.ensure_ca() == ["ca.crt"]
    assert (pki.root / "ca.key").read_text() == key


def test_no_leaf_without_a_ca(pki: Pki, topology: Topology) -> None:
    with pytest.raises(NotFoundError, match="key of the CA does not exist yet"):
        pki.ensure_node_certificates(topology)


def test_two_runs_at_once_agree(pki: Pki, topology: Topology) -> None:
    def run() -> tuple[list[str], list[str], str]:
        created = pki.ensure_ca()
        return created, pki.ensure_node_certificates(topology), pki.ca_certificate()

    results = together(4, run)

    assert sorted(name for created, _, _ in results for name in created) == ["ca.crt", "ca.key"]
    issued = [name for _, leaves, _ in results for name in leaves]
    assert len(issued) == len(set(issued)) == 25, "each certificate is issued by exactly one run"
    assert len({ca for _, _, ca in results}) == 1


def test_key_is_not_in_a_repr(issued: Pki) -> None:
    ca = parse_certificate(issued.ca_certificate())
    key = parse_key((issued.root / "ca.key").read_text())

    assert "key" not in repr(Authority(ca, key)).replace("public_key", "")


def test_names_of_what_is_missing_are_names_of_what_is_created(
    tmp_path: Path, topology: Topology
) -> None:
    store = SecretStore.of(tmp_path, topology)

    missing = missing_pki(store, topology)

    assert not os.listdir(tmp_path)
    assert missing[:2] == ["pki/ca.crt", "pki/nodes/postgres-node-1/etcd-server.crt"]
    assert ensure_pki(store, topology) == missing
    assert missing_pki(store, topology) == ensure_pki(store, topology) == []
