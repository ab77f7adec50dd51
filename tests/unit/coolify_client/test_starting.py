"""Servers start in parallel, the stacks of one server one after the other."""

from __future__ import annotations

import threading

import httpx

from pgha.coolify.client import CoolifyClient
from pgha.coolify.starting import Startable, start_stacks
from tests.unit.coolify_client.fake import TOKEN, URL, reply


def client_of(handler: httpx.MockTransport) -> CoolifyClient:
    return CoolifyClient(URL, TOKEN, transport=handler)


def test_different_servers_are_started_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=10)

    def handler(_request: httpx.Request) -> httpx.Response:
        together.wait()
        return reply(200, {"message": "queued"})

    stacks = [Startable(f"s{n}", f"u{n}", f"server-{n}") for n in range(4)]
    names = start_stacks(client_of(httpx.MockTransport(handler)), stacks)
    assert names == ["s0", "s1", "s2", "s3"]


def test_one_server_starts_its_stacks_in_order() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path.split("/")[-2])
        return reply(200, {"message": "queued"})

    stacks = [Startable(f"s{n}", f"u{n}", "the-one") for n in range(5)]
    start_stacks(client_of(httpx.MockTransport(handler)), stacks)
    assert seen == ["u0", "u1", "u2", "u3", "u4"]


def test_nothing_to_start_asks_nothing() -> None:
    assert start_stacks(client_of(httpx.MockTransport(lambda _r: reply(500, {}))), []) == []
