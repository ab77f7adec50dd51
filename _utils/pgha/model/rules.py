"""Rules for single values: a rule answers what is allowed, or None when the value is fine.

The caller puts key and value in front, so that every sentence reads
``<key> is <value>: <what is allowed>.``
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

Rule = Callable[[object], "str | None"]

_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_CLUSTER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,38}[a-z0-9]")
_SQL_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_BACKUP_SCHEDULE = re.compile(
    r"off|([01][0-9]|2[0-3]):[0-5][0-9]|(1[5-9]|[2-9][0-9]|[1-9][0-9]{2})m|[1-9][0-9]?h|[1-7]d"
)
_COOLIFY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{1,253}[A-Za-z0-9]")
_IMAGE = re.compile(
    r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})"
)

# Roles that the product creates, and what PostgreSQL and PgBouncer keep for themselves.
RESERVED_ROLES = frozenset(
    {"postgres", "replicator", "rewind", "pgha_monitor", "pgbouncer", "public", "none", "user"}
)
RESERVED_DATABASES = frozenset({"postgres", "template0", "template1", "pgbouncer", "replication"})


def shown(value: object) -> str:
    """The value as an operator wrote it, without any user:password@, cut at 60 characters."""
    text = re.sub(r"//[^/@\s]*@", "//...@", repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def is_number(value: object) -> bool:
    """True for a whole number; YAML's ``yes`` is a bool and a bool is not a number here."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole_number(minimum: int, maximum: int | None = None, why: str = "") -> Rule:
    """A whole number between two bounds, both included."""
    bounds = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    allowed = f"it must be a whole number {bounds}{f' ({why})' if why else ''}"

    def check(value: object) -> str | None:
        if isinstance(value, str) and value.strip().isdigit():
            return f"{allowed}, written without quotes"
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            return allowed
        return allowed if maximum is not None and value > maximum else None

    return check


def one_of(*words: str) -> Rule:
    """One of the words; YAML's bare ``on`` and ``off`` arrive as True and False and count."""
    allowed = f"it must be {', '.join(words[:-1])} or {words[-1]}"

    def check(value: object) -> str | None:
        return None if normal_word(value) in words else allowed

    return check


def normal_word(value: object) -> object:
    """Undo what YAML 1.1 does to the bare words ``on`` and ``off``."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value


def boolean(value: object) -> str | None:
    """true or false."""
    return None if isinstance(value, bool) else "it must be true or false"


def _spelled(pattern: re.Pattern[str], allowed: str) -> Rule:
    def check(value: object) -> str | None:
        return None if isinstance(value, str) and pattern.fullmatch(value) else allowed

    return check


cluster_name = _spelled(
    _CLUSTER_NAME,
    "it must be 3 to 40 of a-z, 0-9, _ and -, beginning and ending with a letter or digit "
    "(it becomes a folder, the Patroni scope and part of the Coolify stack names)",
)
node_name = _spelled(
    _NODE_NAME,
    "it must be at most 40 of a-z, 0-9 and -, beginning and ending with a letter or digit "
    "(it becomes the name in Patroni, in etcd, in Coolify and in certificates)",
)
coolify_name = _spelled(
    _COOLIFY_NAME, "it must be 3 to 255 letters, digits, spaces and . _ - (Coolify allows no other)"
)
image = _spelled(
    _IMAGE, "it must be an image with an explicit tag or digest, as in registry.example/pgha/etcd:1"
)


def host_name(value: object) -> str | None:
    """A host name of RFC 1123, lower case, at most 253 characters."""
    allowed = (
        "it must be a host name (RFC 1123, lower case): labels of a-z, 0-9 and -, joined by dots"
    )
    if not isinstance(value, str) or not 0 < len(value) <= 253:
        return allowed
    labels = value.split(".")
    # A name that ends in a number is read as an IPv4 address by resolvers (RFC 3696, section 2).
    if labels[-1].isdigit() or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        return allowed
    return None


def ip_address(value: object) -> str | None:
    """An IPv4 or IPv6 address that other servers can reach."""
    try:
        address = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None or (isinstance(value, str) and "%" in value):
        return "it must be an IPv4 or IPv6 address, as in 172.28.0.20"
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return "it must be the server's own address, one that the other servers reach"
    return None


def network(value: object) -> str | None:
    """An IPv4 or IPv6 network in CIDR notation without host bits."""
    try:
        if isinstance(value, str) and "/" in value:
            ipaddress.ip_network(value)
            return None
    except ValueError:
        pass
    return "it must be a network in CIDR notation without host bits, as in 10.0.0.0/8"


def sql_name(reserved: frozenset[str]) -> Rule:
    """A name that PostgreSQL takes without quotes and that is nobody else's."""

    def check(value: object) -> str | None:
        if not isinstance(value, str) or not _SQL_NAME.fullmatch(value):
            return "it must be at most 63 of a-z, 0-9 and _, not beginning with a digit"
        if value in reserved or value.startswith("pg_"):
            return "this name is kept for PostgreSQL and for the cluster's own use; choose another"
        return None

    return check


def backup_schedule(value: object) -> str | None:
    """off, a time of the day in UTC as in 03:30, or an interval as in 6h or 15m."""
    if isinstance(normal_word(value), str) and _BACKUP_SCHEDULE.fullmatch(str(normal_word(value))):
        return None
    return (
        "it must be off, a time of the day in UTC in quotes as in '03:30', or an interval from 15m "
        "to 7d as in 6h"
    )


def web_address(value: object) -> str | None:
    """The address of Coolify: scheme, host, optional port, nothing secret in it."""
    allowed = "it must be an address such as https://coolify.example.com, without user and password"
    if not isinstance(value, str):
        return allowed
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  (raises for a port that is not a number below 65536)
    except ValueError:
        return allowed
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return None if parts.scheme in ("http", "https") and parts.hostname and plain else allowed
