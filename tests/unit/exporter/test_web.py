"""The web server: what it answers, to whom, and that nobody can block it."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgha import bcrypt
from pgha.certificates import certificate_pem, key_pem, new_key, self_signed
from pgha_exporter.errors import SettingsError
from pgha_exporter.web import config, server
from pgha_exporter.web.config import Access
from pgha_exporter.web.request import BadRequestError, Request, parse_head
from pgha_exporter.web.server import Response, Server
from tests.unit.exporter.support import until

SALT = bytes(range(16))
HASH = bcrypt.hash_password("right", SALT, cost=4)


def echo(request: Request) -> Response:
    if request.path == "/fail":
        raise ZeroDivisionError
    return Response(200, f"{request.method} {request.path}".encode())


@contextmanager
def running(
    access: Access | None = None, handler: Callable[[Request], Response] = echo
) -> Iterator[int]:
    found = Server(("127.0.0.1", 0), access or Access(""), handler)
    thread = threading.Thread(target=found.serve)
    thread.start()
    try:
        yield found.port
    finally:
        found.stop()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as found:
        yield found


def raw(port: int, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def silent_connection(port: int) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", port), 5))


def status_of(answer: bytes) -> int:
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert match, answer
    return int(match.group(1))


def test_a_connection_serves_many_requests(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for number in range(5):
            assert client.get(f"/{number}").text == f"GET /{number}"
        head = client.head("/x")
        assert (head.status_code, head.text, head.headers["content-length"]) == (200, "", "7")


def test_two_requests_in_one_packet_get_two_answers(port: int) -> None:
    answer = raw(port, b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.endswith(b"GET /b")


def test_http_1_0_is_closed_at_once(port: int) -> None:
    assert raw(port, b"GET / HTTP/1.0\r\n\r\n").endswith(b"GET /")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        (b"GET /\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 20000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_of_ours_is_refused(port: int, request_: bytes, expected: int) -> None:
    assert status_of(raw(port, request_)) == expected


def test_a_handler_that_fails_says_so_without_details(port: int) -> None:
    answer = raw(port, b"GET /fail HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 500
    assert b"ZeroDivision" not in answer


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_fuzzed_heads_are_requests_or_refusals(head: bytes) -> None:
    try:
        assert parse_head(head).path
    except BadRequestError as err:
        assert 400 <= err.status < 500  # noqa: PT017 - both outcomes are right


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200))
def test_the_server_survives_fuzzed_connections(port: int, content: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(content)
    assert raw(port, b"GET /alive HTTP/1.0\r\n\r\n").endswith(b"GET /alive")


def test_silent_connections_block_nobody_and_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 4)
    with running() as port:
        silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(8)]
        started = time.monotonic()
        assert raw(port, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"GET /x")
        assert time.monotonic() - started < 2
        # The oldest of them had to go.
        assert silent[0].recv(1) == b""
        for connection in silent:
            connection.close()


def test_memory_is_given_back_once_a_crowd_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[int] = []
    monkeypatch.setattr(server.memory, "give_back_heap", lambda: given_back.append(1))
    with running() as port:
        leave_after_one_request(port, server.CROWD - 1)
        for crowds in (1, 2):
            leave_after_one_request(port, server.CROWD)
            until(lambda n=crowds: len(given_back) == n)
        leave_after_one_request(port, 1)
    assert len(given_back) == 2


def leave_after_one_request(port: int, crowd: int) -> None:
    """All are there at the same time, and have gone when it returns."""
    with ExitStack() as stack:
        connections = [stack.enter_context(silent_connection(port)) for _ in range(crowd)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert connection.recv(4096)
        for connection in connections:
            connection.shutdown(socket.SHUT_WR)
        for connection in connections:
            assert connection.recv(4096) == b""


def test_a_dripping_head_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FIRST_HEAD_S", 0.05)
    with running() as port, closing(socket.create_connection(("127.0.0.1", port), 5)) as drip:
        drip.sendall(b"GET / HTT")
        assert status_of(drip.recv(4096)) == 408


@pytest.fixture
def web_config(tmp_path: Path) -> Path:
    write_pair(tmp_path)
    path = tmp_path / "web.yml"
    path.write_text(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
        f"basic_auth_users:\n  prometheus: {HASH}\n"
    )
    return path


def write_pair(folder: Path) -> str:
    key = new_key()
    certificate = certificate_pem(self_signed(key, datetime.now(timezone.utc)))
    (folder / "server.crt").write_text(certificate)
    (folder / "server.key").write_text(key_pem(key))
    return certificate


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_tls_with_passwords(web_config: Path) -> None:
    with running(Access(str(web_config))) as port:
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=False, trust_env=False
        ) as client:
            assert client.get("/").status_code == 401
            assert client.get("/-/healthy").status_code == 200
            assert client.get("/", auth=("prometheus", "right")).status_code == 200
            assert client.get("/", auth=("prometheus", "wrong")).status_code == 401
            assert client.get("/", auth=("nobody", "right")).status_code == 401
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)


def test_a_connection_without_handshake_blocks_nobody(web_config: Path) -> None:
    with running(Access(str(web_config))) as port, silent_connection(port):
        started = time.monotonic()
        answer = httpx.get(
            f"https://127.0.0.1:{port}/",
            verify=False,
            trust_env=False,
            auth=("prometheus", "right"),
        )
        assert answer.status_code == 200
        assert time.monotonic() - started < 2


def served_certificate(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=5)


def test_a_renewed_certificate_is_served_without_a_restart(web_config: Path) -> None:
    with running(Access(str(web_config))) as port:
        before = served_certificate(port)
        renewed = write_pair(web_config.parent)
        assert until(lambda: served_certificate(port).split() == renewed.split())
        assert renewed.split() != before.split()
        # A damaged one does not take the good one's place.
        (web_config.parent / "server.key").write_text("damaged")
        assert served_certificate(port).split() == renewed.split()


def test_old_tls_is_refused(web_config: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        running(Access(str(web_config))) as port,
        silent_connection(port) as plain,
        pytest.raises(OSError),
    ):
        context.wrap_socket(plain)


def test_a_checked_password_is_not_hashed_again(
    web_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(str(web_config))
    assert access.allows(basic("prometheus", "right"))
    monkeypatch.setattr(bcrypt, "verify", lambda *_: pytest.fail("hashed again"))
    assert access.allows(basic("prometheus", "right"))


@given(st.text())
def test_nonsense_in_the_header_is_refused(header: str) -> None:
    assert not _ACCESS.allows(header)


class _NoHash(Access):
    def __init__(self) -> None:
        super().__init__("")
        self._config = config.WebConfig(users={"prometheus": "$2b$nonsense"})


_ACCESS = _NoHash()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("tls_server_config: {cert_file: a}", "both"),
        ("tls_server_config: {cert_file: a, key_file: b, ciphers: x}", "ciphers is not known"),
        ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS10}", "min_version"),
        ("tls_server_config: {cert_file: a, key_file: b, client_auth_type: "
         "RequireAndVerifyClientCert}", "client_ca_file"),
        ("basic_auth_users: {a: plain}", "bcrypt"),
        ("basic_auth_users: [a]", "must map"),
        ("nothing: 1", "not known"),
        ("tls_server_config: {cert_file: a, key_file: b}", "cannot be used"),
        ("[", "cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_in_the_web_configuration(tmp_path: Path, content: str, word: str) -> None:
    path = tmp_path / "web.yml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=word):
        Access(str(path))


def test_a_hash_is_never_shown(web_config: Path) -> None:
    assert HASH not in repr(config.load(str(web_config)))


def test_the_client_certificate_is_asked_for(web_config: Path) -> None:
    text = web_config.read_text().replace(
        "  key_file: server.key\n",
        "  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n"
        "  client_ca_file: server.crt\n",
    )
    web_config.write_text(text)
    with running(Access(str(web_config))) as port, pytest.raises(httpx.HTTPError):
        httpx.get(f"https://127.0.0.1:{port}/-/healthy", verify=False, trust_env=False)


def test_bcrypt_is_the_one_that_others_write() -> None:
    # Made by the package bcrypt 5.
    assert bcrypt.verify("right", "$2b$04$DCq7YPn5Rq63x1Lad4cll.86HHPMinyQ8Oa08s3tCwC7r4C5mBtxe")
    assert bcrypt.verify("right", HASH)
    assert not bcrypt.verify("wrong", HASH)
    assert not bcrypt.verify("x\0", HASH)
    assert bcrypt.hash_password("right", SALT, cost=4) == HASH
    with pytest.raises(ValueError, match="16 bytes"):
        bcrypt.hash_password("right", b"short")
