"""One Patroni asked over HTTP."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from pgha_exporter.errors import SourceError
from pgha_exporter.patroni.parse import parse_json

STEP_TIMEOUT_S = 1.5
ALIVE_TIMEOUT_S = 0.3
MAX_ANSWER = 4 * 1024 * 1024

_NOT_ANSWERED = (httpx.HTTPError, OSError, RuntimeError, ValueError)


class Api:
    """One Patroni asked over HTTP with a bound on every step and on the size of the answer."""

    def __init__(self, url: str, ca_file: str = "", transport: Any = None) -> None:
        self._url, self._ca_file, self._transport = url.rstrip("/"), ca_file, transport
        self._client: httpx.Client | None = None

    def get(self, path: str) -> Any:
        """The JSON of a path; Patroni answers 503 for a member that is not running, with JSON too.

        Raises:
            SourceError: why there is none.
        """
        try:
            return self._json(path)
        except _NOT_ANSWERED as err:
            raise _source_error(err, path) from err

    def check_alive(self) -> None:
        """``/liveness`` needs neither etcd nor PostgreSQL.

        Raises:
            SourceError: Patroni does not answer.
        """
        try:
            answer = self._opened().get(f"{self._url}/liveness", timeout=ALIVE_TIMEOUT_S)
        except _NOT_ANSWERED as err:
            raise _source_error(err, "/liveness") from err
        if answer.status_code != 200:
            raise SourceError("protocol", f"GET /liveness was answered {answer.status_code}")

    def close(self) -> None:
        client, self._client = self._client, None
        if client:
            client.close()

    def _json(self, path: str) -> Any:
        deadline = time.monotonic() + 2 * STEP_TIMEOUT_S
        content = bytearray()
        with self._opened().stream(
            "GET", f"{self._url}{path}", extensions={"trace": _Prompt()}
        ) as response:
            if response.status_code in (401, 403):
                raise SourceError("auth", f"GET {path} was answered {response.status_code}")
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER or time.monotonic() > deadline:
                    raise SourceError("protocol", f"GET {path}: the answer does not end")
            if response.status_code not in (200, 503):
                raise SourceError("protocol", f"GET {path} was answered {response.status_code}")
        return parse_json(bytes(content))

    def _opened(self) -> httpx.Client:
        if self._client is None:
            verify: ssl.SSLContext | bool = False
            if self._url.startswith("https"):
                # Without a CA of its own, the system's.
                verify = ssl.create_default_context(cafile=self._ca_file or None)
            self._client = httpx.Client(
                verify=verify, timeout=STEP_TIMEOUT_S, trust_env=False, transport=self._transport
            )
        return self._client


class _Prompt:
    """Acknowledges the pieces of an answer as they come (httpx' extension ``trace``).

    Over TLS Patroni takes leave in due form, and its kernel holds that last piece until the answer
    before it is acknowledged (Nagle), which ours puts off by 40 ms unless told so at each request.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
        elif event == "http11.send_request_body.complete" and self._socket is not None:
            with suppress(OSError, AttributeError):  # only Linux has it
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _source_error(err: Exception, path: str) -> SourceError:
    if isinstance(err, httpx.TimeoutException):
        return SourceError("timeout", f"GET {path}: {type(err).__name__}")
    if isinstance(err, httpx.ConnectError):
        tls = "ssl" in str(err).lower() or "certif" in str(err)
        return SourceError("tls" if tls else "refused", f"GET {path}: {err}")
    return SourceError("protocol", f"GET {path}: {type(err).__name__}: {err}")
