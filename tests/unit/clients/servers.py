"""Servers for client tests: real sockets, recorded answers, and one that never answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
Reply = tuple[int, Any]
Route = Reply | Callable[[Any], Reply]


def recorded(name: str) -> Any:
    """An answer that Patroni 4.1.5 over PostgreSQL 15.18 gave."""
    return json.loads((RECORDED / f"{name}.json").read_text())


@dataclass
class FakeServer:
    """``requests`` holds (method, path, body, authorization header) of everything asked."""

    url: str
    requests: list[tuple[str, str, Any, str | None]] = field(default_factory=list)

    def asked(self, method: str) -> list[Any]:
        """Bodies of the requests of one method."""
        return [body for verb, _, body, _ in self.requests if verb == method]


@contextmanager
def serve(routes: Mapping[str, Route]) -> Iterator[FakeServer]:
    """Answer ``"GET /path"`` with (status, JSON or text), or with what a function of the body says.

    Anything else is answered 404; a route that never answers is `silence`.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    fake = FakeServer(f"http://127.0.0.1:{server.server_address[1]}")
    server.routes, server.fake = routes, fake  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        _GIVE_UP.set()
        server.shutdown()
        thread.join()
        server.server_close()
        _GIVE_UP.clear()


_GIVE_UP = threading.Event()


def silence(_: Any) -> Reply:
    """Never answer while the server lives."""
    _GIVE_UP.wait(60)
    return 500, ""


@contextmanager
def hung_server() -> Iterator[str]:
    """A port that accepts connections and says nothing, like a stopped process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def dripping_server() -> Iterator[str]:
    """A port that sends one byte of an endless header every 50 ms, so no single read times out."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not over.wait(0.05):
                connection.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


@contextmanager
def closed_port() -> Iterator[str]:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.fake.requests.append(  # type: ignore[attr-defined]
            (self.command, self.path, body, self.headers.get("authorization"))
        )
        route = self.server.routes.get(  # type: ignore[attr-defined]
            f"{self.command} {self.path}", (404, "not found")
        )
        status, content = route(body) if callable(route) else route
        text = content if isinstance(content, str) else json.dumps(content)
        with suppress(OSError):  # the client gave up, as some tests want
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 (http.server calls them)

    def log_message(self, *_: Any) -> None:
        pass
