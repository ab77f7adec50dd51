"""An etcd member asked over its HTTP gateway, as Patroni does: no etcd3 needed, half of gRPC's CPU.

With authentication on, the gateway refuses client certificates that have a common name
(https://etcd.io/docs/v3.5/op-guide/security/), so such clusters need gRPC.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from pgha_exporter.errors import GatewayError, SourceError
from pgha_exporter.etcd import parse
from pgha_exporter.etcd.gateway import Gateway
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

LOGIN_S = 1.0
WITH_LEADER = {"Grpc-Metadata-hasleader": "true"}
"""etcd then ends a watch through a member that has lost its leader, as a partitioned one has."""


class HttpClient:
    """See `pgha_exporter.etcd.model.Client`.

    Args:
        when_refused: called when this member cannot be asked over HTTP at all.
    """

    def __init__(self, endpoint: Endpoint, when_refused: Callable[[], None] = lambda: None) -> None:
        self._endpoint, self._when_refused = endpoint, when_refused
        self._token: str | None = None
        try:
            self._gateway = Gateway(endpoint)
        except OSError as err:
            raise SourceError("tls", f"etcd's certificates cannot be used: {err}") from err

    def status(self, timeout: float) -> MemberStatus:
        return parse.json_status(self._ask("maintenance/status", {}, timeout))

    def members(self, timeout: float) -> tuple[Peer, ...]:
        return parse.json_members(self._ask("cluster/member/list", {}, timeout))

    def get(self, key: str, timeout: float) -> Value | None:
        found = parse.json_values(self._ask("kv/range", {"key": _encoded(key)}, timeout))
        return found[0] if found else None

    def prefix(self, prefix: str, timeout: float) -> tuple[Value, ...]:
        return parse.json_values(self._ask("kv/range", _range(prefix), timeout))

    def lease_remaining(self, lease: int, timeout: float) -> float | None:
        return parse.json_ttl(self._ask("lease/timetolive", {"ID": str(lease)}, timeout))

    def watch(self, prefix: str) -> Iterator[Event]:
        wanted = {"create_request": _range(prefix)}
        headers = {**self._headers(), **WITH_LEADER}
        for answer in self._gateway.follow("watch", wanted, SILENCE_S, headers):
            yield from parse.json_events(answer)
        raise SourceError("refused", "etcd ended the watch")

    def close(self) -> None:
        self._gateway.close()

    def _ask(self, path: str, body: Any, timeout: float) -> Any:
        try:
            return self._gateway.ask(path, body, timeout, self._headers())
        except SourceError as err:
            self._token = None
            if isinstance(err, GatewayError):
                self._when_refused()
            raise

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
        answer = self._gateway.ask("auth/authenticate", login, LOGIN_S, {})
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii():
            raise SourceError("protocol", f"etcd gave {self._endpoint.username} no token")
        return token


def _range(prefix: str) -> dict[str, str]:
    return {
        "key": _encoded(prefix),
        "range_end": base64.b64encode(prefix_end(prefix)).decode(),
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
