"""A connection to etcd's gateway that TLS finds ended is made anew, as a plain one is."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from pgha.certificates import (
    Authority,
    LeafRequest,
    certificate_pem,
    issue,
    key_pem,
    new_key,
    self_signed,
)
from pgha_exporter.errors import SourceError
from pgha_exporter.etcd.http_client import HttpClient
from pgha_exporter.etcd.model import Endpoint

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"leader": "11"}'


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    now = datetime.now(timezone.utc)
    authority_key, key = new_key(), new_key()
    authority = Authority(self_signed(authority_key, now), authority_key)
    usages = (ExtendedKeyUsageOID.SERVER_AUTH,)
    request = LeafRequest("a", "etcd-server", "etcd-server-a", (), ("127.0.0.1",), usages)
    leaf = issue(request, key, authority, now)
    (tmp_path / "ca.crt").write_text(certificate_pem(authority.certificate))
    (tmp_path / "etcd.crt").write_text(certificate_pem(leaf))
    (tmp_path / "etcd.key").write_text(key_pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "etcd.crt", tmp_path / "etcd.key")
    return context


def answer_once(connection: ssl.SSLSocket, *, politely: bool) -> None:
    head = b""
    while b'"' not in head and b"{}" not in head:
        head += connection.recv(4096)
    connection.sendall(ANSWER)
    if politely:
        connection.unwrap()


@contextmanager
def server(tls: ssl.SSLContext, *, politely: bool) -> Iterator[tuple[str, list[int]]]:
    """Its URL, and a number for each connection; every one ends after its answer."""
    connections: list[int] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                connections.append(1)
                with plain, suppress(OSError), tls.wrap_socket(plain, server_side=True) as secured:
                    answer_once(secured, politely=politely)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", connections
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("politely", [True, False], ids=["with close_notify", "cut"])
def test_a_member_that_ended_the_connection_is_asked_again_at_once(
    tls: ssl.SSLContext, tmp_path: Path, politely: bool
) -> None:
    with server(tls, politely=politely) as (url, connections):
        client = HttpClient(Endpoint(url, str(tmp_path / "ca.crt")))
        assert [client.status(1).leader_id for _ in range(3)] == [11] * 3
        assert len(connections) == 3
        client.close()


def test_a_member_with_a_foreign_certificate_is_not_asked(
    tls: ssl.SSLContext, tmp_path: Path
) -> None:
    foreign = new_key()
    certificate = certificate_pem(self_signed(foreign, datetime.now(timezone.utc)))
    (tmp_path / "foreign.crt").write_text(certificate)
    with server(tls, politely=True) as (url, _):
        client = HttpClient(Endpoint(url, str(tmp_path / "foreign.crt")))
        with pytest.raises(SourceError) as raised:
            client.status(1)
        assert raised.value.reason == "tls"
        client.close()
