"""A stand-in on a loopback port, with a fake host and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lab.coolify.app import create_app
from lab.coolify.clock import ManualClock
from lab.coolify.settings import Settings, parse_seed
from lab.coolify.standin import Standin
from tests.contract.fake_host import FakeHost
from tests.support.asgi import serving

ABILITIES: dict[str, tuple[str, ...]] = {
    "root": ("root",),
    "read": ("read",),
    "readsens": ("read", "read:sensitive"),
    "write": ("write",),
    "deploy": ("deploy",),
    "all": ("read", "read:sensitive", "write", "write:sensitive", "deploy"),
}
EXPIRED = "2020-01-01T00:00:00Z"


def token(name: str) -> str:
    """The invented token of that name (names as in the recorded exchanges)."""
    return f"{_NUMBERS[name]}|{'x' * 30}{name:_>10}"


_NAMES = [*ABILITIES, "expired", "member_read", "member_write", "team2_root"]
_NUMBERS = {name: position for position, name in enumerate(_NAMES, start=1)}


def seed(servers: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    tokens: list[dict[str, Any]] = [
        {"token": token(name), "name": name, "abilities": list(abilities)}
        for name, abilities in ABILITIES.items()
    ]
    member = {"user": "member", "role": "member"}
    tokens += [
        {
            "token": token("expired"),
            "name": "expired",
            "abilities": ["root"],
            "expires_at": EXPIRED,
        },
        {"token": token("member_read"), "name": "m", "abilities": ["read"], **member},
        {"token": token("member_write"), "name": "m", "abilities": ["read", "write"], **member},
        {
            "token": token("team2_root"),
            "name": "t2",
            "abilities": ["root"],
            "user": "two",
            "team": 2,
        },
    ]
    default = [
        {"name": "h20", "ip": "172.28.0.20", "port": 22, "user": "root"},
        {"name": "h21", "ip": "172.28.0.21", "port": 22, "user": "root"},
    ]
    return {"servers": servers or default, "tokens": tokens}


@dataclass
class Loopback:
    url: str
    standin: Standin
    host: FakeHost
    clock: ManualClock
    client: httpx.Client

    def call(self, method: str, path: str, body: Any = None, *, who: str = "all") -> httpx.Response:
        """One API request as `who`; `path` is relative to /api/v1."""
        headers = {"Authorization": f"Bearer {token(who)}"} if who else {}
        arguments = {} if body is None else {"json": body}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **arguments)

    def lab(self, method: str, path: str, body: Any = None) -> Any:
        response = self.client.request(method, f"/__lab__{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def settle(self) -> None:
        """Wait for queued jobs."""
        self.lab("POST", "/drain")

    def status_pass(self) -> None:
        self.lab("POST", "/status-pass")


@contextmanager
def serve(folder: Path, **options: Any) -> Iterator[Loopback]:
    """Run a stand-in until the block ends. `options` are fields of Settings."""
    host, clock = FakeHost(), ManualClock()
    settings = Settings(
        data_dir=folder, **{"queue_delay_s": 0.0, "faults": True, "rate_limit": 100_000, **options}
    )
    standin = Standin(settings, parse_seed(seed()), host, clock)
    headers = {"Accept": "application/json"}
    with (
        serving(create_app(standin, background=False)) as url,
        httpx.Client(base_url=url, headers=headers, timeout=15, trust_env=False) as client,
    ):
        try:
            yield Loopback(url, standin, host, clock, client)
        finally:
            host.hold.set()
