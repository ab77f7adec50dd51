"""Networks (contract 3.4): services without network_mode join an external network `<uuid>`."""

from __future__ import annotations

from typing import Any


def attach(service: dict[str, Any], uuid: str) -> dict[str, Any] | None:
    """The new `networks` value, or None when the service's own `network_mode` rules."""
    if service.get("network_mode") is not None:
        return None
    own = service.get("networks")
    kept: dict[str, Any] = {}
    if isinstance(own, list):
        kept = {str(name): None for name in own}
    elif isinstance(own, dict):
        # A mapping entry without a body disappears (seen live).
        kept = {name: body for name, body in own.items() if body is not None}
    kept[uuid] = None
    return kept


def declare(networks: Any, uuid: str, *, used: bool) -> dict[str, Any]:
    """The top-level section; nothing is added when every service uses `network_mode`."""
    declared = dict(networks) if isinstance(networks, dict) else {}
    if used:
        declared[uuid] = {"name": uuid, "external": True}
    return declared
