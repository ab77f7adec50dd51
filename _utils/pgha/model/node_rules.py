"""What can be wrong with ``postgresql_nodes``."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pgha.model import rules
from pgha.model.rules import Rule, shown
from pgha.model.voting import names_by_host

KEY = "postgresql_nodes"
MINIMUM_NODES = 3

_FIELDS: dict[str, Rule] = {
    "name": rules.node_name,
    "host": rules.host_name,
    "ip": rules.ip_address,
    "role": rules.one_of("primary", "replica"),
}


def node_names(nodes: object) -> list[str]:
    """The names of the nodes that have one, in declared order."""
    return [node["name"] for node in _readable(nodes) if isinstance(node.get("name"), str)]


def node_problems(nodes: object) -> list[str]:
    """Everything that is wrong with the list of nodes."""
    if not isinstance(nodes, (list, tuple)):
        return [f"{KEY} is {shown(nodes)}: it must be a list of nodes with name, host, ip, role."]
    return [
        *_count_problems(nodes),
        *(problem for place, node in enumerate(nodes, 1) for problem in _each(place, node)),
        *_repeated(nodes),
        *_ambiguous(nodes),
        *_primaries(nodes),
    ]


def _count_problems(nodes: list[Any] | tuple[Any, ...]) -> Iterator[str]:
    if len(nodes) < MINIMUM_NODES:
        yield (
            f"{KEY} lists {len(nodes)} node{'' if len(nodes) == 1 else 's'}: at least "
            f"{MINIMUM_NODES} are needed, because with fewer the loss of one server leaves no "
            "majority that could elect a leader."
        )


def _each(place: int, node: object) -> Iterator[str]:
    if not isinstance(node, Mapping):
        yield f"{KEY} entry {place} is {shown(node)}: it must have name, host, ip and role."
        return
    where = _called(place, node)
    for field, rule in _FIELDS.items():
        if field not in node:
            yield f"{KEY} {where} has no {field}; every node needs name, host, ip and role."
            continue
        allowed = rule(node[field])
        if allowed:
            yield f"{KEY} {where}: {field} is {shown(node[field])}: {allowed}."
    for field in node:
        if field not in _FIELDS:
            yield f"{KEY} {where}: {field} is not a known field.{_hint(field)}"


def _hint(field: object) -> str:
    close = get_close_matches(str(field), _FIELDS, n=1)
    return f" Did you mean {close[0]}?" if close else " A node has name, host, ip and role."


def _called(place: int, node: Mapping[str, Any]) -> str:
    name = node.get("name")
    return f"entry {place} ({name})" if isinstance(name, str) else f"entry {place}"


def _repeated(nodes: object) -> Iterator[str]:
    for field in ("name", "host", "ip"):
        places: defaultdict[str, list[str]] = defaultdict(list)
        for node in _readable(nodes):
            if isinstance(node.get(field), str):
                places[_comparable(field, node[field])].append(str(node.get("name")))
        for value, names in places.items():
            if len(names) > 1:
                yield (
                    f"{KEY}: {field} {value} is given to {len(names)} nodes ({', '.join(names)}): "
                    f"each node needs its own {field}."
                )


def _comparable(field: str, value: str) -> str:
    if field != "ip":
        return value
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return value


def _ambiguous(nodes: object) -> Iterator[str]:
    hosts = names_by_host(nodes)
    for name in node_names(nodes):
        if hosts.get(name, name) != name:
            yield (
                f"{KEY}: {name} is the name of one node and the host of another ({hosts[name]}): "
                "operators may name a node by either, so they must not be mixed up."
            )


def _primaries(nodes: object) -> Iterator[str]:
    primaries = [
        str(node.get("name")) for node in _readable(nodes) if node.get("role") == "primary"
    ]
    rule = "role primary is the preference for the first leader and exactly one node has it"
    if len(primaries) > 1:
        yield f"{KEY} has {len(primaries)} nodes of role primary ({', '.join(primaries)}): {rule}."
    elif not primaries:
        yield f"{KEY} has no node of role primary: {rule}."


def _readable(nodes: object) -> list[Mapping[str, Any]]:
    if not isinstance(nodes, (list, tuple)):
        return []
    return [node for node in nodes if isinstance(node, Mapping)]
