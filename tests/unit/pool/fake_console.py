"""PgBouncer's admin console on a real socket: the simple query protocol, ``PAUSE`` that waits.

Texts of errors are those of PgBouncer 1.24 (src/admin.c).
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pgha.pg.settings import ConnectSettings

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


class FakePool(socketserver.ThreadingTCPServer):
    """``busy`` is what running transactions PAUSE has to wait for; ``commands`` what was asked."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.paused = False
        self.busy = 0
        self.deaf = False
        self.commands: list[str] = []
        self.changed = threading.Condition()

    def settings(self, where: str = "app-server-1.lan") -> ConnectSettings:
        return ConnectSettings(
            host="127.0.0.1",
            address="127.0.0.1",
            port=self.server_address[1],
            user="pgbouncer",
            password="secret-of-the-test",
            database="pgbouncer",
            where=where,
            pooled=True,
        )

    def pause(self) -> str | None:
        with self.changed:
            if self.paused:
                return "already suspended/paused"
            self.paused = True
            self.changed.wait_for(lambda: not self.busy or not self.paused, timeout=30)
        return None

    def resume(self) -> str | None:
        with self.changed:
            if not self.paused:
                return "pooler is not paused/suspended"
            self.paused = False
            self.changed.notify_all()
        return None


class _Session(socketserver.StreamRequestHandler):
    server: FakePool

    def handle(self) -> None:
        with suppress(OSError, struct.error):
            self._start()
            while self.rfile.read(1) == b"Q":
                (length,) = struct.unpack("!I", self.rfile.read(4))
                self._answer(self.rfile.read(length - 4).rstrip(b"\0").decode())

    def _start(self) -> None:
        length, code = struct.unpack("!II", self.rfile.read(8))
        while code in (SSL_REQUEST, GSS_REQUEST):
            self.wfile.write(b"N")
            length, code = struct.unpack("!II", self.rfile.read(8))
        self.rfile.read(length - 8)
        self._send(b"R", struct.pack("!I", 0))
        for name, value in (("server_version", "1.24.1/bouncer"), ("client_encoding", "UTF8")):
            self._send(b"S", f"{name}\0{value}\0".encode())
        self._send(b"Z", b"I")

    def _answer(self, command: str) -> None:
        self.server.commands.append(command)
        if self.server.deaf:
            threading.Event().wait(30)
        if command == "SHOW STATE":
            paused = "yes" if self.server.paused else "no"
            self._rows(["key", "value"], [["active", "yes"], ["paused", paused]])
        elif command == "SHOW POOLS":
            self._rows(["database", "sv_active"], [["application", str(self.server.busy)]])
        else:
            verb = self.server.pause if command == "PAUSE" else self.server.resume
            self._done(command, verb())
        self._send(b"Z", b"I")

    def _done(self, command: str, refusal: str | None) -> None:
        if refusal:
            self._send(b"E", f"SERROR\0C08P01\0M{refusal}\0\0".encode())
        else:
            self._send(b"C", command.encode() + b"\0")

    def _rows(self, columns: list[str], rows: list[list[str]]) -> None:
        head = b"".join(
            name.encode() + b"\0" + struct.pack("!IHIHIH", 0, 0, 25, 65535, 0, 0)
            for name in columns
        )
        self._send(b"T", struct.pack("!H", len(columns)) + head)
        for row in rows:
            cells = b"".join(struct.pack("!I", len(cell)) + cell.encode() for cell in row)
            self._send(b"D", struct.pack("!H", len(row)) + cells)
        self._send(b"C", b"SHOW\0")

    def _send(self, kind: bytes, body: bytes) -> None:
        self.wfile.write(kind + struct.pack("!I", len(body) + 4) + body)


@contextmanager
def fake_pool() -> Iterator[FakePool]:
    """A pool that listens on loopback for the block."""
    with FakePool() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.resume()
            server.shutdown()
            thread.join()
