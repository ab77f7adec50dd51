"""One Patroni asked over HTTP."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

import httpx

from pgha_exporter.errors import SourceError
from pgha_exporter.patroni.parse import parse_json
from pgha_exporter.tls import resuming_context

STEP_TIMEOUT_S = 1.5
ALIVE_TIMEOUT_S = 0.3
MAX_ANSWER = 4 * 1024 * 1024

_NOT_ANSWERED = (httpx.HTTPError, OSError, RuntimeError, ValueError)


class Api:
    """One Patroni asked over HTTP with a bound on every step and on the size of the answer.

    Asked through httpx' transport: what its client adds (redirects, cookies, proxies) is not wanted
    here and is a fifth of a question's CPU.
    """

    def __init__(
        self, url: str, ca_file: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url, self._ca_file, self._transport = url.rstrip("/"), ca_file, transport
        self._urls: dict[str, httpx.URL] = {}

    def get(self, path: str) -> Any:
        """The JSON of a path; Patroni answers 503 for a member that is not running, with JSON too.

        Raises:
            SourceError: why there is none.
        """
        status, content = self._asked(path, STEP_TIMEOUT_S)
        if status in (401, 403):
            raise SourceError("auth", f"GET {path} was answered {status}")
        if status not in (200, 503):
            raise SourceError("protocol", f"GET {path} was answered {status}")
        return parse_json(content)

    def check_alive(self) -> None:
        """``/liveness`` needs neither etcd nor PostgreSQL.

        Raises:
            SourceError: Patroni does not answer.
        """
        status, _ = self._asked("/liveness", ALIVE_TIMEOUT_S)
        if status != 200:
            raise SourceError("protocol", f"GET /liveness was answered {status}")

    def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport:
            transport.close()

    def _asked(self, path: str, timeout: float) -> tuple[int, bytes]:
        try:
            with closing(self._opened().handle_request(self._request(path, timeout))) as response:
                return response.status_code, _content(response, path)
        except _NOT_ANSWERED as err:
            raise _source_error(err, path) from err

    def _request(self, path: str, timeout: float) -> httpx.Request:
        url = self._urls.get(path) or self._urls.setdefault(path, httpx.URL(f"{self._url}{path}"))
        steps = httpx.Timeout(timeout).as_dict()
        return httpx.Request("GET", url, extensions={"timeout": steps, "trace": _Prompt()})

    def _opened(self) -> httpx.BaseTransport:
        if self._transport is None:
            secure = self._url.startswith("https")
            self._transport = httpx.HTTPTransport(
                verify=resuming_context(self._ca_file) if secure else False, trust_env=False
            )
        return self._transport


def _content(response: httpx.Response, path: str) -> bytes:
    deadline = time.monotonic() + 2 * STEP_TIMEOUT_S
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > MAX_ANSWER or time.monotonic() > deadline:
            raise SourceError("protocol", f"GET {path}: the answer does not end")
    return bytes(content)


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
