"""A PostgreSQL of its own for a test: TLS by the product's own CA, SCRAM, one superuser."""

from __future__ import annotations

import dataclasses
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pgha.pg.probe import server_facts
from pgha.pg.settings import ConnectSettings
from pgha.pki import ensure_pki
from pgha.render.accounts import SUPERUSER
from pgha.roles import secrets_for
from pgha.secrets import SecretStore
from pgha.topology import Topology
from pgha.wait import Pending, poll
from tests.support.clusters import topology

USER = "postgres"
PASSWORD = "superuser-of-the-test"


def binaries() -> Path | None:
    """The newest server installed here; None without one or without a user who may run it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if not found or (os.getuid() == 0 and _account() is None):
        return None
    return found[-1].parent


@dataclass(frozen=True)
class Server:
    """``topology`` calls it postgres-node-1 at 127.0.0.1; ``config_root`` holds its CA."""

    root: Path
    port: int
    topology: Topology
    verifiers: Mapping[str, str] = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)

    @property
    def config_root(self) -> str:
        return str(self.root / "etc")

    def settings(
        self, user: str = SUPERUSER, password: str = PASSWORD, timeout_s: float = 20
    ) -> ConnectSettings:
        return ConnectSettings(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password,
            where="app-server-1.lan",
            ca_file=f"{self.config_root}/{self.topology.cluster}/ca.crt",
            timeout_s=timeout_s,
        )

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        postmaster = int((self.root / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *(int(child) for child in children)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process for the block, as a stuck disk would."""
        stopped = self.processes()
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)


@contextmanager
def running_server(bin_dir: Path) -> Iterator[Server]:
    """Start a server; gone with all its files afterwards."""
    # Not pytest's folder, which belongs to root and which the server's user cannot enter.
    root = Path(tempfile.mkdtemp(prefix="pgha-pg-"))
    try:
        server = _prepared(root, bin_dir)
        postmaster = _start(server, bin_dir)
        try:
            poll(lambda: _answers(server), deadline_s=30, interval_s=0.05, what="PostgreSQL")
            yield server
        finally:
            postmaster.send_signal(signal.SIGINT)
            postmaster.wait(30)
    finally:
        shutil.rmtree(root)


def _prepared(root: Path, bin_dir: Path) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (root / "password").write_text(PASSWORD)
    server = _with_secrets(root, port)
    _own(root)
    data = root / "data"
    command = [bin_dir / "initdb", "-D", data, "-U", SUPERUSER, "-A", "scram-sha-256", "-N"]
    _run([*command, f"--pwfile={root / 'password'}", "--locale=C.UTF-8", "--encoding=UTF8"])
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    with (data / "postgresql.conf").open("a") as file:
        file.write(_configuration(root, port))
    return server


def _configuration(root: Path, port: int) -> str:
    return f"""
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = off
shared_buffers = '16MB'
ssl = on
ssl_cert_file = '{root}/server.crt'
ssl_key_file = '{root}/server.key'
log_statement = 'all'
"""


def _with_secrets(root: Path, port: int) -> Server:
    declared = topology(postgresql_hostname="db.test.lan")
    nodes = (dataclasses.replace(declared.nodes[0], ip="127.0.0.1"), *declared.nodes[1:])
    # Every port leads to the one server; a router is not what is tested here.
    cluster = dataclasses.replace(
        declared,
        nodes=nodes,
        hostname="localhost",
        member_port=port,
        port=port,
        replica_port=port,
        pool_port=port,
    )
    store = SecretStore(root / "state")
    store.ensure_all(cluster)
    ensure_pki(store, cluster)
    secrets = secrets_for(nodes[0].host, cluster, store)["pgha"]
    directory = root / "etc" / cluster.cluster
    directory.mkdir(parents=True)
    (directory / "ca.crt").write_text(secrets["ca_crt"])
    for part in ("crt", "key"):
        path = root / f"server.{part}"
        path.write_text(secrets["node"]["postgresql"][part])
        path.chmod(0o600)
    return Server(root, port, cluster, secrets["verifiers"], secrets["passwords"])


def _start(server: Server, bin_dir: Path) -> subprocess.Popen[bytes]:
    log = (server.root / "log").open("wb")
    with log:
        return subprocess.Popen(
            [bin_dir / "postgres", "-D", server.root / "data"],
            stdout=log,
            stderr=log,
            cwd=server.root,
            **_as_user(),
        )


def _answers(server: Server) -> bool | Pending:
    server_facts(server.settings())
    return True


def _run(command: list[str | Path]) -> None:
    subprocess.run(command, check=True, capture_output=True, **_as_user())


def _as_user() -> dict[str, str]:
    return {"user": USER, "group": USER} if os.getuid() == 0 else {}


def _own(root: Path) -> None:
    if os.getuid() != 0:
        return
    account = _account()
    assert account is not None
    for path in [root, *root.rglob("*")]:
        os.chown(path, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def _version(initdb: Path) -> float:
    return float(initdb.parent.parent.name)
