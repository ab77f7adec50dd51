"""An etcd member asked over its HTTP gateway: 15 MiB less memory than gRPC, and no etcd3 needed.

With authentication on, the gateway refuses client certificates that have a common name
(https://etcd.io/docs/v3.5/op-guide/security/), so such clusters need gRPC.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from pgha_exporter.errors import SourceError
from pgha_exporter.etcd import parse
from pgha_exporter.etcd.model import (
    SILENCE_S,
    Endpoint,
    Event,
    MemberStatus,
    Peer,
    Value,
    prefix_end,
)
from pgha_exporter.postgres import read_secret

MAX_LINE = 4 * 1024 * 1024


class HttpClient:
    """See `pgha_exporter.etcd.model.Client`."""

    def __init__(self, endpoint: Endpoint, timeout: float = 1.0) -> None:
        self._endpoint = endpoint
        self._token: str | None = None
        verify: ssl.SSLContext | bool = False
        if endpoint.url.startswith("https"):
            verify = ssl.create_default_context(cafile=endpoint.ca_file or None)
            if endpoint.cert_file:
                verify.load_cert_chain(endpoint.cert_file, endpoint.key_file)
        self._client = httpx.Client(
            base_url=endpoint.url, verify=verify, timeout=timeout, trust_env=False
        )

    def status(self, timeout: float) -> MemberStatus:
        return parse.json_status(self._post("maintenance/status", {}, timeout))

    def members(self, timeout: float) -> tuple[Peer, ...]:
        return parse.json_members(self._post("cluster/member/list", {}, timeout))

    def get(self, key: str, timeout: float) -> Value | None:
        found = parse.json_values(self._post("kv/range", {"key": _encoded(key)}, timeout))
        return found[0] if found else None

    def prefix(self, prefix: str, timeout: float) -> tuple[Value, ...]:
        return parse.json_values(self._post("kv/range", _range(prefix), timeout))

    def lease_remaining(self, lease: int, timeout: float) -> float | None:
        answer = self._post("lease/timetolive", {"ID": str(lease)}, timeout)
        left = answer.get("TTL", 0) if isinstance(answer, dict) else None
        try:
            seconds = float(left)  # type: ignore[arg-type]
        except (TypeError, ValueError) as err:
            raise SourceError("protocol", "etcd's TTL is not a number") from err
        return seconds if seconds >= 0 else None

    def watch(self, prefix: str) -> Iterator[Event]:
        request = {"create_request": _range(prefix)}
        timeout = httpx.Timeout(2.0, read=SILENCE_S)
        try:
            with self._client.stream(
                "POST", "/v3/watch", json=request, timeout=timeout, headers=self._headers()
            ) as response:
                if response.status_code != 200:
                    raise SourceError("protocol", f"watch was answered {response.status_code}")
                for line in _lines(response.iter_bytes()):
                    yield from _events(line)
        except (httpx.HTTPError, OSError, RuntimeError) as err:
            raise _source_error(err, "watch") from err
        raise SourceError("refused", "etcd ended the watch")

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, body: Any, timeout: float) -> Any:
        try:
            response = self._client.post(
                f"/v3/{path}", json=body, timeout=timeout, headers=self._headers()
            )
        except (httpx.HTTPError, OSError, RuntimeError) as err:
            raise _source_error(err, path) from err
        if response.status_code == 200:
            return _json(response.content)
        message = response.text[:200]
        auth = response.status_code == 401 or "auth token" in message or "user name" in message
        self._token = None
        late = response.status_code == 504 or "timed out" in message
        reason = "auth" if auth else ("timeout" if late else "protocol")
        raise SourceError(reason, f"etcd answered {response.status_code} to {path}: {message}")

    def _headers(self) -> dict[str, str]:
        if not self._endpoint.username:
            return {}
        if self._token is None:
            self._token = self._authenticated()
        return {"Authorization": self._token}

    def _authenticated(self) -> str:
        login = {
            "name": self._endpoint.username,
            "password": read_secret(self._endpoint.password_file),
        }
        response = self._client.post("/v3/auth/authenticate", json=login)
        answer = _json(response.content)
        if response.status_code != 200 or not isinstance(answer, dict):
            raise SourceError("auth", f"etcd refused {self._endpoint.username}")
        return str(answer.get("token", ""))


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as err:
        raise SourceError("protocol", "etcd's answer is not JSON") from err


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
        if len(rest) > MAX_LINE:
            raise SourceError("protocol", "a line of the watch does not end")


def _events(line: bytes) -> Iterator[Event]:
    answer = _json(line)
    if not isinstance(answer, dict) or "error" in answer:
        raise SourceError("protocol", "etcd refused the watch")
    result = answer.get("result")
    events = (result.get("events") if isinstance(result, dict) else None) or []
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise SourceError("protocol", "the events of the watch are no list of objects")
    for event in events:
        (value,) = parse.json_values({"kvs": [event.get("kv", {})]})
        yield Event(value.key, None if event.get("type") == "DELETE" else value.value)


def _range(prefix: str) -> dict[str, str]:
    return {
        "key": _encoded(prefix),
        "range_end": base64.b64encode(prefix_end(prefix)).decode(),
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _source_error(err: Exception, path: str) -> SourceError:
    if isinstance(err, httpx.TimeoutException):
        return SourceError("timeout", f"{path}: {type(err).__name__}")
    if isinstance(err, httpx.ConnectError):
        tls = "ssl" in str(err).lower() or "certif" in str(err)
        return SourceError("tls" if tls else "refused", f"{path}: {err}")
    return SourceError("protocol", f"{path}: {type(err).__name__}")
