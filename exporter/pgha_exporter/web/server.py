"""HTTP/1.1 over threads: one connection can neither block nor starve the others.

The TLS handshake happens in the connection's own thread with a time limit (in the accept loop one
silent client would stop everybody). When all places are taken, the connection that has been silent
the longest makes room.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pgha_exporter import memory
from pgha_exporter.web.config import Access
from pgha_exporter.web.request import BadRequestError, Request, parse_head, read_head

HANDSHAKE_S = 3.0
FIRST_HEAD_S = 5.0
IDLE_S = 75.0
"""Prometheus scrapes every minute at most; its connection then stays open."""
SEND_S = 10.0
MAX_CONNECTIONS = 160
MAX_REQUESTS = 100000
CROWD = 16
"""So many connections at once leave memory behind that is worth giving back: a hundred over TLS
leave 8 MiB (measured). Prometheus and its twin keep one each."""
REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 413: "Content Too Large",
    431: "Request Header Fields Too Large", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip
log = logging.getLogger("pgha_exporter.web")


@dataclass(frozen=True)
class Response:
    """``headers`` besides those that every answer has."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


class Server:
    """Listens at once; `serve` accepts until `stop`.

    Args:
        address: host and port; an empty host means all, port 0 a free one.
    """

    def __init__(self, address: tuple[str, int], access: Access, handler: Handler) -> None:
        self._access, self._handler = access, handler
        host, port = address
        family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
        self._listener = socket.create_server(
            (host, port), family=family, backlog=128, dualstack_ipv6=not host
        )
        self._lock = threading.Lock()
        self._active: dict[socket.socket, float] = {}
        self._was_crowded = False
        self._stopped = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Accept connections until `stop`."""
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._stopped:
                    return
                # Out of file descriptors: one has to become free.
                self._make_room(0)
                continue
            self._make_room(MAX_CONNECTIONS - 1)
            with self._lock:
                self._active[connection] = time.monotonic()
                self._was_crowded = self._was_crowded or len(self._active) >= CROWD
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        # close() alone does not wake the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._make_room(0)

    def _make_room(self, allowed: int) -> None:
        with self._lock:
            while len(self._active) > allowed:
                oldest = min(self._active, key=lambda connection: self._active[connection])
                del self._active[oldest]
                # Its own thread wakes up and closes it.
                with suppress(OSError):
                    socket.socket.shutdown(oldest, socket.SHUT_RDWR)

    def _attend(self, plain: socket.socket) -> None:
        connection = plain
        try:
            connection = self._secured(plain)
            self._shake_hands(connection)
            self._converse(connection)
        except (OSError, EOFError):
            pass  # the other side's business
        except Exception:
            log.exception("a connection ended badly")
        finally:
            with self._lock:
                self._active.pop(plain, None)
                self._active.pop(connection, None)
            connection.close()
            self._tidy_up()

    def _tidy_up(self) -> None:
        """When a crowd has gone."""
        with self._lock:
            is_over = self._was_crowded and len(self._active) < CROWD / 4
            if is_over:
                self._was_crowded = False
        if is_over:
            memory.give_back_heap()

    def _secured(self, plain: socket.socket) -> socket.socket:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = self._access.context()
        if context is None:
            return plain
        connection = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        # The descriptor has moved to the new object; whoever makes room needs that one.
        with self._lock:
            if self._active.pop(plain, None) is None:
                connection.close()
                raise EOFError
            self._active[connection] = time.monotonic()
        return connection

    def _shake_hands(self, connection: socket.socket) -> None:
        if isinstance(connection, ssl.SSLSocket):
            connection.settimeout(HANDSHAKE_S)
            connection.do_handshake()

    def _converse(self, connection: socket.socket) -> None:
        rest, seconds = b"", FIRST_HEAD_S
        for _ in range(MAX_REQUESTS):
            try:
                head, rest = read_head(connection, rest, seconds)
                request = parse_head(head)
            except BadRequestError as err:
                self._send(connection, Response(err.status), close=True)
                return
            response = self._respond(request)
            close = not request.keeps_alive or self._stopped
            self._send(connection, response, close=close, body=request.method != "HEAD")
            if close:
                return
            self._touch(connection)
            seconds = IDLE_S

    def _touch(self, connection: socket.socket) -> None:
        with self._lock:
            if connection in self._active:
                self._active[connection] = time.monotonic()

    def _respond(self, request: Request) -> Response:
        # Whether the process lives is no secret; everything else is.
        if request.path != "/-/healthy" and not self._access.allows(
            request.headers.get("authorization", "")
        ):
            return Response(401, b"", headers={"WWW-Authenticate": 'Basic realm="pgha"'})
        try:
            return self._handler(request)
        except Exception:
            log.exception("request failed", extra={"fields": {"path": request.path[:200]}})
            return Response(500, b"The request failed; see the log of the exporter.\n")

    def _send(
        self, connection: socket.socket, response: Response, *, close: bool, body: bool = True
    ) -> None:
        content = response.body or (
            f"{response.status} {REASONS.get(response.status, '')}\n".encode()
            if response.status != 200
            else b""
        )
        lines = [
            f"HTTP/1.1 {response.status} {REASONS.get(response.status, '')}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(content)}",
            "X-Content-Type-Options: nosniff",
            f"Connection: {'close' if close else 'keep-alive'}",
            *(f"{name}: {value}" for name, value in response.headers.items()),
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        connection.settimeout(SEND_S)
        connection.sendall(head + (content if body else b""))
