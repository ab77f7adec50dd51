"""The HTTP gateway of one etcd member: JSON over a connection that is kept.

With the standard library's client, because most of the exporter's questions go this way and each
would cost twice as much CPU through httpx (docs/adr/0011).
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from pgha_exporter.errors import GatewayError, SourceError
from pgha_exporter.etcd.model import Endpoint

MAX_ANSWER = 4 * 1024 * 1024
BEGIN_S = 2.0
# AttributeError: another thread has closed the connection in the middle of a step.
_FAILURES = (OSError, http.client.HTTPException, ValueError, AttributeError)
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_GONE = (ConnectionError, http.client.BadStatusLine, *_CUT)


class Gateway:
    """One connection, for one thread; only `close` may come from another one."""

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.url)
        host, port = parts.hostname or "", parts.port
        self._closed = False
        self._socket: Any = None
        self._connection = http.client.HTTPConnection(host, port)
        if parts.scheme == "https":
            tls = ssl.create_default_context(cafile=endpoint.ca_file or None)
            if endpoint.cert_file:
                tls.load_cert_chain(endpoint.cert_file, endpoint.key_file)
            self._connection = http.client.HTTPSConnection(host, port, context=tls)
        self._connection.auto_open = 0

    def ask(self, path: str, body: Any, timeout: float, headers: Mapping[str, str]) -> Any:
        """The answer to a question below ``/v3/``.

        Raises:
            SourceError: why there is none.
        """
        try:
            response = self._answered(path, body, timeout, headers)
            content = response.read(MAX_ANSWER)
            if not response.isclosed():
                self._connection.close()
                raise SourceError("protocol", f"etcd's answer to {path} does not end")
        except _FAILURES as err:
            self._connection.close()
            raise _source_error(err, path) from err
        return _read(path, response.status, content)

    def follow(
        self, path: str, body: Any, silence_s: float, headers: Mapping[str, str]
    ) -> Iterator[Any]:
        """The lines of an answer that does not end, as JSON, each within ``silence_s`` seconds.

        Raises:
            SourceError: why it ended after all.
        """
        try:
            response = self._answered(path, body, BEGIN_S, headers)
            if response.status != http.client.OK:
                _read(path, response.status, response.read(MAX_ANSWER))
            self._socket.settimeout(silence_s)
            while line := response.readline(MAX_ANSWER):
                if not line.endswith(b"\n"):
                    raise SourceError("protocol", f"a line of {path} does not end")
                yield _json(line)
        except _FAILURES as err:
            raise _source_error(err, path) from err
        finally:
            self._connection.close()

    def close(self) -> None:
        """Whoever still waits for an answer gets an error."""
        self._closed = True
        with suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _answered(
        self, path: str, body: Any, timeout: float, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        was_connected = self._connection.sock is not None
        try:
            return self._sent(path, body, timeout, headers)
        except _GONE:
            if not was_connected or self._closed:
                raise
            # A member that was restarted has forgotten the connection; a question may be repeated.
            return self._sent(path, body, timeout, headers)

    def _sent(
        self, path: str, body: Any, timeout: float, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection = self._connection
        connection.timeout = timeout
        try:
            if not connection.sock:
                connection.connect()
                self._socket = connection.sock
            self._socket.settimeout(timeout)
            connection.request("POST", f"/v3/{path}", json.dumps(body).encode(), dict(headers))
            return connection.getresponse()
        except _FAILURES:
            connection.close()
            raise


def _read(path: str, status: int, content: bytes) -> Any:
    if status == http.client.OK:
        return _json(content)
    message = content[:200].decode("utf-8", "replace")
    text = f"etcd answered {status} to {path}: {message}"
    if status == http.client.NOT_FOUND or "CommonName of client" in message:
        raise GatewayError(text)
    auth = status == http.client.UNAUTHORIZED or "auth token" in message or "user name" in message
    late = status == http.client.GATEWAY_TIMEOUT or "timed out" in message
    raise SourceError("auth" if auth else ("timeout" if late else "protocol"), text)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as err:
        raise SourceError("protocol", "etcd's answer is not JSON") from err


def _source_error(err: Exception, path: str) -> SourceError:
    if isinstance(err, TimeoutError):
        return SourceError("timeout", f"{path}: no answer in time")
    if isinstance(err, ssl.SSLError) and not isinstance(err, _CUT):
        return SourceError("tls", f"{path}: {err}")
    if isinstance(err, OSError) and not isinstance(err, http.client.HTTPException):
        return SourceError("refused", f"{path}: {err}")
    return SourceError("protocol", f"{path}: {type(err).__name__}")
