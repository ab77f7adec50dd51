"""Starting stacks: servers in parallel, the stacks of one server one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pgha.coolify.client import CoolifyClient
from pgha.errors import FailedError, PghaError

_MOST_SERVERS_AT_ONCE = 8


@dataclass(frozen=True)
class Startable:
    """A stack to be started: name, uuid, and the server it is on."""

    name: str
    uuid: str
    server_uuid: str


@dataclass
class _OneServer:
    started: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def start_stacks(client: CoolifyClient, stacks: Sequence[Startable]) -> list[str]:
    """Queue the start of every stack and return their names in the given order.

    Coolify's 200 only says that the start is queued; whether containers run is for the caller to
    observe on the servers.

    Raises:
        FailedError: with a sentence per stack that could not be started; the others were.
    """
    if not stacks:
        return []
    groups = _by_server(stacks)
    with ThreadPoolExecutor(max_workers=min(_MOST_SERVERS_AT_ONCE, len(groups))) as pool:
        results = list(pool.map(lambda group: _start_all(client, group), groups.values()))
    failures = [text for result in results for text in result.failures]
    if failures:
        raise FailedError(" ".join(failures))
    started = {name for result in results for name in result.started}
    return [stack.name for stack in stacks if stack.name in started]


def _by_server(stacks: Sequence[Startable]) -> Mapping[str, list[Startable]]:
    groups: dict[str, list[Startable]] = {}
    for stack in stacks:
        groups.setdefault(stack.server_uuid, []).append(stack)
    return groups


def _start_all(client: CoolifyClient, stacks: Sequence[Startable]) -> _OneServer:
    result = _OneServer()
    for stack in stacks:
        try:
            start_one(client, stack.uuid, stack.name)
        except PghaError as error:
            result.failures.append(str(error))
        else:
            result.started.append(stack.name)
    return result


def start_one(client: CoolifyClient, uuid: str, name: str) -> None:
    """Start a stack that is known not to run.

    Coolify refuses when its stored status still says running, which is up to minutes old; a restart
    has no such condition (contract 2.9).
    """
    if not client.start_service(uuid, name):
        client.restart_service(uuid, name)
