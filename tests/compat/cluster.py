"""A Patroni cluster of two members and one etcd in a container, in the versions asked for.

Nothing in it comes from this product: the configuration is what Patroni's own documentation shows.
"""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import httpx

from pgha import certificates
from pgha.wait import Pending, poll
from tests.compat import etcd
from tests.compat.container import ROOT, Container
from tests.compat.versions import DIRECTORY, SCOPE, Versions

MEMBERS = {"node1": (5432, 8008), "node2": (5433, 8009)}
"""Ports of PostgreSQL and of Patroni by member."""
START_S = 60
SIDES = (certificates._SERVER, certificates._CLIENT)


@dataclass(frozen=True)
class Cluster:
    """``monitor`` is the password of the role pgha_monitor, ``web`` that of the exporter's page.

    ``logins`` are etcd's passwords by user.
    """

    versions: Versions
    container: Container
    ca: str
    superuser: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    monitor: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    web: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    logins: Mapping[str, str] = field(default_factory=lambda: _logins(), repr=False)

    @classmethod
    def start(cls, versions: Versions) -> Cluster:
        container = Container.start(f"pgha/compat:{versions.image}", str(versions))
        try:
            return cls._started(versions, container)
        except BaseException:
            end(container, versions)
            raise

    @classmethod
    def _started(cls, versions: Versions, container: Container) -> Cluster:
        ca, files = _certificates()
        cluster = cls(versions, container, ca)
        for member in MEMBERS:
            files[f"{member}.yml"] = json.dumps(_patroni(cluster, member), indent=1)
        files["pgpass"] = f"*:*:*:pgha_monitor:{cluster.monitor}\n"
        files["monitor-password"] = f"{cluster.monitor}\n"
        files["etcd-password"] = f"{cluster.logins[etcd.EXPORTER]}\n"
        files[etcd.TOKEN_KEY] = secrets.token_hex(32)
        container.write(DIRECTORY, files)
        cluster.start_etcd()
        if versions.login:
            cluster.switch_on_logins()
        for member in MEMBERS:
            cluster.start_member(member)
            poll(
                lambda member=member: cluster.is_up(member),  # type: ignore[misc]
                deadline_s=START_S,
                interval_s=0.2,
                what=f"{member} of {versions}",
            )
        cluster.sql(
            f"CREATE ROLE pgha_monitor LOGIN PASSWORD '{cluster.monitor}' IN ROLE pg_monitor;"
            "GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO pgha_monitor;"
            "CREATE TABLE filling (content text)"
        )
        return cluster

    def end(self) -> None:
        end(self.container, self.versions)

    def start_etcd(self) -> None:
        self.container.start_process(f"{DIRECTORY}/etcd", etcd.command(self.versions))

    def switch_on_logins(self) -> None:
        with self.ask_etcd() as client:
            poll(lambda: answers(client), deadline_s=START_S, interval_s=0.1, what="etcd to answer")
            etcd.switch_on(client, self.logins)

    def ask_etcd(self) -> httpx.Client:
        """A client of etcd's gateway, without a login; it has no client certificate."""
        return httpx.Client(
            base_url=f"{self.versions.scheme}://{self.container.address}:2379",
            verify=self.trust() if self.versions.tls else False,
            timeout=5,
            trust_env=False,
        )

    def trust(self) -> ssl.SSLContext:
        """Trusts the cluster's CA; its certificate names localhost, and the test is outside."""
        context = ssl.create_default_context(cadata=self.ca)
        context.check_hostname = False
        return context

    def kill_etcd(self) -> None:
        self.container.signal(f"{DIRECTORY}/etcd", "KILL")

    def signal_replay(self, signal: str) -> None:
        """Stop or continue the replica's replay; Patroni would undo pg_wal_replay_pause()."""
        self.container.run("pkill", f"-{signal}", "-f", "^postgres: .*startup")

    def start_member(self, member: str) -> None:
        self.container.start_process(
            f"{DIRECTORY}/{member}",
            [f"/opt/patroni-{self.versions.patroni}/bin/patroni", f"{DIRECTORY}/{member}.yml"],
        )

    def is_up(self, member: str) -> bool | Pending:
        """The first member as leader, every other one as a streaming replica."""
        first = next(iter(MEMBERS))
        question = (
            "SELECT NOT pg_is_in_recovery()"
            if member == first
            else "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"
        )
        try:
            return self.sql(question) == "t" or Pending("not yet")
        except AssertionError as err:
            return Pending(str(err).splitlines()[-1])

    def sql(self, statement: str, member: str = "node1") -> str:
        """The answer of a statement as the superuser, over the socket."""
        return self.container.run(
            "psql", "-qXAtv", "ON_ERROR_STOP=1", "-h", "/tmp", "-U", "postgres",
            "-p", str(MEMBERS[member][0]), "postgres", content=statement,
        ).strip()  # fmt: skip

    def version_of(self, member: str) -> str:
        return self.sql("SHOW server_version", member).split(" ")[0]


def end(container: Container, versions: Versions) -> None:
    """Keep what everything said in reports/compat, and remove the container."""
    path = ROOT / f"reports/compat/{versions}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_text(container.run("sh", "-c", f"tail -n 200 {DIRECTORY}/*.log || true"))
    finally:
        container.remove()


def _logins() -> Mapping[str, str]:
    users = (etcd.ADMINISTRATOR, etcd.PATRONI, etcd.EXPORTER)
    return {user: secrets.token_hex(16) for user in users}


def answers(client: httpx.Client) -> bool | Pending:
    """Whether etcd has a leader."""
    try:
        return client.get("/health").json()["health"] == "true" or Pending("no leader yet")
    except httpx.TransportError as err:
        return Pending(type(err).__name__)


def _certificates() -> tuple[str, dict[str, str]]:
    """The CA, and the files of one pair for everybody, server and client."""
    now = datetime.now(timezone.utc)
    ca_key, key = certificates.new_key(), certificates.new_key()
    ca = certificates.self_signed(ca_key, now)
    request = certificates.LeafRequest(
        "node", "server", "node", ("localhost",), ("127.0.0.1",), SIDES
    )
    leaf = certificates.issue(request, key, certificates.Authority(ca, ca_key), now)
    text = certificates.certificate_pem(ca)
    return text, {
        "tls/ca.crt": text,
        "tls/server.crt": certificates.certificate_pem(leaf),
        "tls/server.key": certificates.key_pem(key),
    }


def _patroni(cluster: Cluster, member: str) -> Mapping[str, object]:
    postgres, api = MEMBERS[member]
    restapi: dict[str, object] = {
        "listen": f"127.0.0.1:{api}",
        "connect_address": f"127.0.0.1:{api}",
    }
    if cluster.versions.tls:
        pair = {"cert": f"{DIRECTORY}/tls/server.crt", "key": f"{DIRECTORY}/tls/server.key"}
        restapi |= {"certfile": pair["cert"], "keyfile": pair["key"]}
    return {
        "scope": SCOPE,
        "name": member,
        "restapi": restapi,
        "ctl": {"cacert": f"{DIRECTORY}/tls/ca.crt"} if cluster.versions.tls else {},
        "etcd3": _patronis_etcd(cluster),
        "bootstrap": {
            "dcs": {"ttl": 20, "loop_wait": 2, "retry_timeout": 5, "failsafe_mode": True},
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"],
        },
        "postgresql": _postgresql(cluster, member, postgres),
    }


def _patronis_etcd(cluster: Cluster) -> Mapping[str, object]:
    found: dict[str, object] = {"hosts": "127.0.0.1:2379", "protocol": cluster.versions.scheme}
    tls = f"{DIRECTORY}/tls"
    if cluster.versions.tls:
        found |= {"cacert": f"{tls}/ca.crt"}
    if cluster.versions.client_certificates:
        found |= {"cert": f"{tls}/server.crt", "key": f"{tls}/server.key"}
    if cluster.versions.login:
        found |= {"username": etcd.PATRONI, "password": cluster.logins[etcd.PATRONI]}
    return found


def _postgresql(cluster: Cluster, member: str, port: int) -> Mapping[str, object]:
    host = "hostssl" if cluster.versions.tls else "host"
    parameters: dict[str, object] = {
        "unix_socket_directories": "/tmp",
        "shared_buffers": "16MB",
        "max_connections": 40,
        "fsync": False,
        "wal_keep_size": "64MB",
    }
    if cluster.versions.tls:
        parameters |= {
            "ssl": True,
            "ssl_cert_file": f"{DIRECTORY}/tls/server.crt",
            "ssl_key_file": f"{DIRECTORY}/tls/server.key",
        }
    return {
        "listen": f"127.0.0.1:{port}",
        "connect_address": f"127.0.0.1:{port}",
        "data_dir": f"{DIRECTORY}/data-{member}",
        "bin_dir": f"/usr/lib/postgresql/{cluster.versions.postgres}/bin",
        "pgpass": f"{DIRECTORY}/{member}.pgpass",
        "authentication": {
            "superuser": {"username": "postgres", "password": cluster.superuser},
            "replication": {"username": "replicator", "password": cluster.superuser},
        },
        "parameters": parameters,
        "pg_hba": [
            "local all postgres trust",
            f"{host} all all 127.0.0.1/32 scram-sha-256",
            f"{host} replication replicator 127.0.0.1/32 scram-sha-256",
        ],
    }
