"""What the command line and the seed file say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "4.3.11"
SERVICES_ROOT = "/data/coolify/services"
ABILITIES = frozenset({"root", "read", "read:sensitive", "write", "write:sensitive", "deploy"})


class SeedError(Exception):
    """The seed file cannot be used; the text names the file and every problem in it."""


@dataclass(frozen=True)
class Settings:
    """Limits and intervals; defaults are Coolify's own (contract 1.3, 4.1, 5.2)."""

    data_dir: Path
    status_interval_s: float = 60.0
    rate_limit: int = 200
    health_rate_limit: int = 1000
    job_timeout_s: float = 600.0
    job_retry_s: float = 5.0
    queue_delay_s: float = 0.5
    faults: bool = False


@dataclass(frozen=True)
class SeedServer:
    name: str
    ip: str
    port: int = 22
    user: str = "root"
    uuid: str | None = None
    is_reachable: bool = True
    is_usable: bool = True
    destinations: tuple[tuple[str, str], ...] = (("coolify", "coolify"),)


@dataclass(frozen=True)
class SeedToken:
    token: str = field(repr=False)
    name: str
    abilities: tuple[str, ...]
    user: str = "root"
    team: int = 0
    role: str = "owner"
    expires_at: str | None = None


@dataclass(frozen=True)
class Seed:
    servers: tuple[SeedServer, ...]
    tokens: tuple[SeedToken, ...]
    ssh_key: Path | None = None
    known_hosts: Path | None = None


def load_seed(path: Path) -> Seed:
    """Read a seed file (format: README.md). Raises SeedError with all problems at once."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SeedError(f"Seed file {path} cannot be read as JSON: {error}") from None
    if not isinstance(data, dict):
        raise SeedError(f"Seed file {path} must hold a JSON object, see lab/coolify/README.md.")
    return parse_seed(data, str(path))


def parse_seed(data: Mapping[str, Any], where: str = "seed") -> Seed:
    problems: list[str] = []
    servers = tuple(
        server for item in data.get("servers", []) if (server := _server(item, problems))
    )
    tokens = tuple(token for item in data.get("tokens", []) if (token := _token(item, problems)))
    if problems:
        raise SeedError(f"{where}: " + "; ".join(problems))
    return Seed(
        servers=servers,
        tokens=tokens,
        ssh_key=Path(data["ssh_key"]) if data.get("ssh_key") else None,
        known_hosts=Path(data["known_hosts"]) if data.get("known_hosts") else None,
    )


def _server(item: Mapping[str, Any], problems: list[str]) -> SeedServer | None:
    missing = [key for key in ("name", "ip") if not item.get(key)]
    if missing:
        problems.append(f"servers: an entry lacks {', '.join(missing)}")
        return None
    destinations = tuple(
        (str(entry["name"]), str(entry["network"])) for entry in item.get("destinations", [])
    )
    return SeedServer(
        name=str(item["name"]),
        ip=str(item["ip"]),
        port=int(item.get("port", 22)),
        user=str(item.get("user", "root")),
        uuid=item.get("uuid"),
        is_reachable=bool(item.get("is_reachable", True)),
        is_usable=bool(item.get("is_usable", True)),
        destinations=destinations or (("coolify", "coolify"),),
    )


def _token(item: Mapping[str, Any], problems: list[str]) -> SeedToken | None:
    name = str(item.get("name", "unnamed"))
    number, _, secret = str(item.get("token", "")).partition("|")
    if not (number.isdigit() and secret):
        problems.append(f"tokens: {name} is not of the form <number>|<secret>")
        return None
    unknown = sorted(set(item.get("abilities", [])) - ABILITIES)
    if unknown:
        problems.append(f"tokens: {name} has unknown abilities {', '.join(unknown)}")
        return None
    return SeedToken(
        token=f"{number}|{secret}",
        name=name,
        abilities=tuple(item.get("abilities", ["root"])),
        user=str(item.get("user", "root")),
        team=int(item.get("team", 0)),
        role=str(item.get("role", "owner")),
        expires_at=item.get("expires_at"),
    )
