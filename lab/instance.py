"""Which lab: names, addresses and places of one instance.

An instance is four servers with a domain and a /24 of their own, so that tests never meet the
cluster somebody works with. Figures come from the architecture figure in DESIGN.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, NotUpError

ROOT = Path(__file__).resolve().parent.parent
COOLIFY_PORT = 8000

_KNOWN = {"dev": ("lan", "172.28.0"), "test": ("test", "172.29.0")}
_SERVERS = (
    ("app-server-1", 20, "postgres-node-1", "primary"),
    ("app-server-2", 21, "postgres-node-2", "replica"),
    ("controller", 10, "postgres-node-3", "replica"),
    ("builder", 30, "postgres-node-4", "replica"),
)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_DOMAIN = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*")
_SUBNET = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})")


@dataclass(frozen=True)
class Server:
    """One server: ``host`` is its container name, host name and minion id."""

    host: str
    ip: str
    node: str
    role: str
    is_controller: bool

    @property
    def short(self) -> str:
        """The host name without its domain."""
        return self.host.partition(".")[0]


@dataclass(frozen=True)
class Instance:
    """One lab. ``subnet`` is the first three octets of a /24; ``root`` the checkout it serves."""

    name: str
    domain: str
    subnet: str
    state_dir: Path
    root: Path = ROOT

    @classmethod
    def load(cls, name: str, environ: Mapping[str, str], root: Path = ROOT) -> Instance:
        """The instance ``name``; PGHA_LAB_DOMAIN, _SUBNET and _STATE_DIR change its places.

        Raises LabError for a name that is neither known nor fully described by the environment.
        """
        domain, subnet = _KNOWN.get(name, ("", ""))
        domain = environ.get("PGHA_LAB_DOMAIN", domain)
        subnet = environ.get("PGHA_LAB_SUBNET", subnet)
        _check(name, domain, subnet)
        usual = root / "state" if name == "dev" else root / ".lab" / name / "state"
        return cls(name, domain, subnet, Path(environ.get("PGHA_LAB_STATE_DIR", usual)), root)

    @property
    def servers(self) -> tuple[Server, ...]:
        """All servers, in the order of their nodes."""
        return tuple(
            Server(
                host=f"{short}.{self.domain}",
                ip=f"{self.subnet}.{last}",
                node=node,
                role=role,
                is_controller=short == "controller",
            )
            for short, last, node, role in _SERVERS
        )

    @property
    def controller(self) -> Server:
        """The server that also runs the Salt master and the Coolify stand-in."""
        return next(server for server in self.servers if server.is_controller)

    def server(self, name: str) -> Server:
        """A server by host name, short name, node name or address.

        Raises NotUpError naming the servers there are.
        """
        for server in self.servers:
            if name in (server.host, server.short, server.node, server.ip):
                return server
        known = ", ".join(server.host for server in self.servers)
        raise NotUpError(f"There is no server {name!r} in the lab {self.name}; there are {known}.")

    @property
    def network(self) -> str:
        """Name of the network on the machine's own Docker Engine."""
        return f"pgha-{self.name}"

    @property
    def cidr(self) -> str:
        """The lab's subnet."""
        return f"{self.subnet}.0/24"

    @property
    def directory(self) -> Path:
        """What the lab keeps on the machine, apart from volumes and state."""
        return self.root / ".lab" / self.name

    @property
    def site_dir(self) -> Path:
        """The site pillar, served before the defaults."""
        return self.directory / "site"

    @property
    def images_dir(self) -> Path:
        """Image archives that every server can load; shared by all instances."""
        return self.root / ".cache" / "images"

    @property
    def coolify_url(self) -> str:
        """Where the stand-in answers, without ``/api/v1``."""
        return f"http://{self.controller.ip}:{COOLIFY_PORT}"


def _check(name: str, domain: str, subnet: str) -> None:
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name for a lab: use small letters, digits and dashes.")
    if not domain or not subnet:
        known = " and ".join(_KNOWN)
        raise LabError(
            f"The lab {name!r} is not known ({known} are):"
            " set PGHA_LAB_DOMAIN and PGHA_LAB_SUBNET for it."
        )
    if not _DOMAIN.fullmatch(domain):
        raise LabError(
            f"PGHA_LAB_DOMAIN={domain!r} is no domain: use small letters, digits, dashes and dots."
        )
    octets = _SUBNET.fullmatch(subnet)
    if not octets or any(int(octet) > 255 for octet in octets.groups()):
        raise LabError(
            f"PGHA_LAB_SUBNET={subnet!r} is no /24: give its first three octets, such as 172.28.0."
        )
