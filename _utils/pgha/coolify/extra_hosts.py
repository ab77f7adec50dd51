"""Give the containers of someone else's compose file a host name, and change nothing else.

The text is edited at the place the YAML parser reports, never dumped again: PyYAML and Coolify's
parser disagree about scalars (`22:22`, `yes`, `0440`), and the owner may care about every byte.

Containers that share a network namespace are left alone. With `network_mode: host` Docker copies
the server's /etc/hosts into the container, and stops doing so once the container has an extra host
(libnetwork, `buildHostsFile`): they have the name already and would lose the rest. For
`service:`/`container:` Docker refuses extra hosts, and `none` has nothing to connect to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pgha.errors import ConflictError

# With these an edit in one place may reach another, or the reported place is not the text's.
_SHARING = (yaml.AliasToken, yaml.AnchorToken, yaml.TagToken)
_SHARED_NAMESPACES = ("host", "none", "service:", "container:")


@dataclass(frozen=True)
class _Edit:
    """Replace `[start, end)` of the text by `text`."""

    start: int
    end: int
    text: str


def with_extra_host(compose: str, hostname: str, ip: str) -> str:
    """The compose text in which every container with a network of its own maps `hostname` to `ip`.

    Returns the text unchanged, byte for byte, when all of them do.

    Raises:
        ConflictError: the text cannot be edited safely (anchors, no valid compose file).
    """
    edits = [
        edit
        for service in _services(_root(compose))
        if (edit := _edit(compose, service, hostname, ip)) is not None
    ]
    changed = compose
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        changed = changed[: edit.start] + edit.text + changed[edit.end :]
    if changed != compose:
        _check(compose, changed, hostname, ip)
    return changed


def mentions(compose: str | None, hostname: str) -> bool:
    return compose is not None and hostname in compose


def _root(compose: str) -> MappingNode:
    try:
        if any(isinstance(token, _SHARING) for token in yaml.scan(compose)):
            raise ConflictError("its compose text uses YAML anchors or tags")
        root = yaml.compose(compose, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        raise ConflictError("its compose text is not valid YAML") from None
    if not isinstance(root, MappingNode):
        raise ConflictError("its compose text is not a mapping")
    return root


def _services(root: MappingNode) -> list[MappingNode]:
    services = _value(root, "services")
    if not isinstance(services, MappingNode):
        raise ConflictError("its compose text has no services")
    bodies = [body for _, body in services.value]
    if not all(isinstance(body, MappingNode) and body.value for body in bodies):
        raise ConflictError("its compose text has an empty service")
    return bodies


def _edit(compose: str, service: MappingNode, hostname: str, ip: str) -> _Edit | None:
    mode = _value(service, "network_mode")
    if isinstance(mode, ScalarNode) and mode.value.startswith(_SHARED_NAMESPACES):
        return None
    hosts = _value(service, "extra_hosts")
    if hosts is None:
        return _new_key(compose, service, f"{hostname}:{ip}")
    if isinstance(hosts, SequenceNode):
        return _in_list(compose, hosts, hostname, ip)
    if isinstance(hosts, MappingNode):
        return _in_mapping(compose, hosts, hostname, ip)
    raise ConflictError("its extra_hosts is neither a list nor a mapping")


def _new_key(compose: str, service: MappingNode, entry: str) -> _Edit:
    first = service.value[0][0].start_mark
    if service.flow_style:
        return _Edit(first.index, first.index, f"extra_hosts: ['{entry}'], ")
    indent = " " * first.column
    return _Edit(first.index, first.index, f"extra_hosts:\n{indent}  - '{entry}'\n{indent}")


def _in_list(compose: str, hosts: SequenceNode, hostname: str, ip: str) -> _Edit | None:
    entry = f"'{hostname}:{ip}'"
    for item in hosts.value:
        name, address = _split(item)
        if name == hostname:
            return None if address == ip else _over(item, entry)
    return _first_item(compose, hosts, entry, "- ")


def _in_mapping(compose: str, hosts: MappingNode, hostname: str, ip: str) -> _Edit | None:
    for key, value in hosts.value:
        if key.value == hostname:
            same = isinstance(value, ScalarNode) and value.value == ip
            return None if same else _over(value, f"'{ip}'")
    return _first_item(compose, hosts, f"'{hostname}': '{ip}'", "")


def _first_item(compose: str, hosts: SequenceNode | MappingNode, entry: str, dash: str) -> _Edit:
    """Insert an entry before the others, in the style of the collection."""
    if hosts.flow_style:
        after_bracket = hosts.start_mark.index + 1
        return _Edit(after_bracket, after_bracket, f"{entry}, " if hosts.value else entry)
    # A block collection is never empty; its mark is at the first dash or key.
    start = hosts.start_mark
    return _Edit(start.index, start.index, f"{dash}{entry}\n{' ' * start.column}")


def _over(node: Node, text: str) -> _Edit:
    return _Edit(node.start_mark.index, node.end_mark.index, text)


def _split(item: Node) -> tuple[str, str]:
    # Compose takes "name:address" and, newer, "name=address".
    text = item.value if isinstance(item, ScalarNode) else ""
    separator = "=" if "=" in text else ":"
    name, _, address = text.partition(separator)
    return name.strip(), address.strip()


def _value(mapping: MappingNode, key: str) -> Node | None:
    for name, value in mapping.value:
        if isinstance(name, ScalarNode) and name.value == key:
            return value if isinstance(value, Node) else None
    return None


def _check(before: str, after: str, hostname: str, ip: str) -> None:
    """The edited text says exactly the old thing plus the host, read without scalar rules."""
    try:
        old, new = (yaml.load(text, Loader=yaml.BaseLoader) for text in (before, after))  # noqa: S506 (BaseLoader only makes strings)
        for service in old["services"].values():
            _apply(service, hostname, ip)
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        raise ConflictError("its compose text cannot be edited safely") from None
    if old != new:
        raise ConflictError("its compose text cannot be edited safely")


def _apply(service: dict[str, Any], hostname: str, ip: str) -> None:
    if str(service.get("network_mode", "")).startswith(_SHARED_NAMESPACES):
        return
    hosts = service.setdefault("extra_hosts", [])
    if isinstance(hosts, dict):
        service["extra_hosts"] = {**hosts, hostname: ip}
        return
    for index, item in enumerate(hosts):
        if item.replace("=", ":", 1).split(":", 1)[0].strip() == hostname:
            if item.replace("=", ":", 1).split(":", 1)[1].strip() != ip:
                hosts[index] = f"{hostname}:{ip}"
            return
    hosts.insert(0, f"{hostname}:{ip}")
