"""What a lab is doing, as data and as a table."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from lab import stand_in
from lab.docker import answers, inspect
from lab.errors import LabError, NotUpError
from lab.instance import Instance, Server
from lab.servers import facts, run
from lab.together import on_each

PING_SECONDS = 5


def read_status(instance: Instance, *, minions: set[str] | None = None) -> dict[str, Any]:
    """The lab as JSON-ready data; ``up`` is true when everything in it answers.

    ``minions`` are those known to answer, for who has just asked them.
    """
    containers = (
        inspect("container", *(server.host for server in instance.servers)) if answers() else {}
    )
    servers = on_each(
        instance.servers, lambda server: _server(instance, server, containers.get(server.host))
    )
    if minions is None:
        minions = _answering_minions(instance, servers[instance.controller])
    for server, status in servers.items():
        status["minion"] = server.host in minions
    coolify = _coolify_answers(instance)
    complete = all(status["engine"] and status["minion"] for status in servers.values())
    return {
        "instance": instance.name,
        "network": instance.network,
        "subnet": instance.cidr,
        "state_dir": str(instance.state_dir),
        "coolify": {"url": instance.coolify_url, "answers": coolify},
        "servers": list(servers.values()),
        "up": complete and (coolify or not stand_in.is_there(instance)),
    }


def _server(instance: Instance, server: Server, container: dict[str, Any] | None) -> dict[str, Any]:
    state = container["State"]["Status"] if container else "absent"
    found: dict[str, Any] | None = None
    if state == "running":
        try:
            found = facts(instance, server, "--memory")
        except LabError:
            found = None
    return {
        "host": server.host,
        "ip": server.ip,
        "node": server.node,
        "role": server.role,
        "container": state,
        "engine": bool(found and found["engine"]),
        "services": found["services"] if found else {},
        "containers": found["containers"] if found else {},
        "images": found["images"] if found else {},
        "memory_mib": found["memory_mib"] if found else None,
    }


def _answering_minions(instance: Instance, controller: dict[str, Any]) -> set[str]:
    hosts = {server.host for server in instance.servers}
    if controller["container"] != "running":
        return set()
    try:
        done = run(
            instance,
            instance.controller,
            ["wait-minions", str(PING_SECONDS), *sorted(hosts)],
            timeout_s=60,
        )
    except LabError:
        return set()
    if done.returncode not in (0, 1):
        return set()
    return hosts - set(done.stdout.split())


def _coolify_answers(instance: Instance) -> bool:
    try:
        return stand_in.answers(instance)
    except NotUpError:
        return False


_COLUMNS = (
    "server",
    "address",
    "node",
    "role",
    "state",
    "engine",
    "minion",
    "containers",
    "memory",
)
_NUMBERS = ("containers", "memory")


def table(status: dict[str, Any]) -> Table:
    """The servers as a table for people."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        grid.add_column(
            column,
            justify="right" if column in _NUMBERS else "left",
            no_wrap=True,
            overflow="ignore",
        )
    for server in status["servers"]:
        grid.add_row(*_cells(server))
    return grid


def headline(status: dict[str, Any]) -> str:
    """The lab and its stand-in in one line."""
    coolify = status["coolify"]
    word = "answers" if coolify["answers"] else "does not answer"
    return (
        f"lab {status['instance']} {'is up' if status['up'] else 'is not up'} ({status['subnet']});"
        f" the Coolify stand-in {coolify['url']} {word}"
    )


def _cells(server: dict[str, Any]) -> list[str]:
    running = sum(state == "running" for state in server["containers"].values())
    memory = server["memory_mib"]
    return [
        server["host"],
        server["ip"],
        server["node"],
        server["role"],
        server["container"],
        _yes(server["engine"]),
        _yes(server["minion"]),
        f"{running}/{len(server['containers'])}",
        f"{memory} MiB" if memory is not None else "",
    ]


def _yes(answer: bool) -> str:
    return "answers" if answer else "silent"
