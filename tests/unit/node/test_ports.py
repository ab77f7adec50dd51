"""Listening sockets are found by port and address, with the process that holds them."""

from __future__ import annotations

import os
import socket

from pgha.node.ports import listeners


def test_listener_is_found_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = listeners({port}, {"127.0.0.1"})
        assert found.address == "127.0.0.1"
        assert f"(pid {os.getpid()})" in found.process


def test_listener_on_every_address_takes_the_port_of_each() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert [found.port for found in listeners({port}, {"192.0.2.1"})] == [port]


def test_listener_on_another_address_does_not_matter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listeners({server.getsockname()[1]}, {"192.0.2.1"}) == []
