"""The cluster's certificate authority and one certificate per node and component.

    state/pki/ca.{crt,key}                          EC P-256, 10 years, never leaves the master
    state/pki/nodes/<node>/<component>.{crt,key}    EC P-256, 1 year
    state/pki/master/superuser.{crt,key}            the same; stays on the master, for backups

Renewal: every deploy calls `Pki.ensure_node_certificates`, which issues a certificate anew when it
is missing or unreadable, has fewer than 30 days left, was signed by another CA, does not belong to
its key, or when its subject, names or usages differ from what the topology asks for. The CA is
never renewed silently: all nodes must trust the new one first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pgha import certificates
from pgha.certificates import COMPONENTS, MASTER, LeafRequest, leaf_requests, superuser_request
from pgha.errors import DamagedStateError
from pgha.lock import file_lock, utc_now
from pgha.statefiles import create_once, ensure_directory, ensure_file, read_text, replace

if TYPE_CHECKING:
    from pgha.secrets import SecretStore
    from pgha.topology import Topology


def ensure_pki(store: SecretStore, topology: Topology) -> list[str]:
    """Create or renew everything the cluster needs of its PKI; `Pki` tells the rules.

    Returns:
        The files created or renewed, relative to the state directory, certificates only.
    """
    pki = Pki(store.root / "pki")
    created = [pki.root / name for name in pki.ensure_ca() if name.endswith(".crt")]
    issued = [pki.leaf(*name.split("/")) for name in pki.ensure_node_certificates(topology)]
    return [str(path.relative_to(store.state_dir)) for path in [*created, *issued]]


def missing_pki(store: SecretStore, topology: Topology) -> list[str]:
    """What `ensure_pki` would create or renew, as it would name it; touches nothing."""
    pki = Pki(store.root / "pki")
    created, due = pki.due(topology)
    paths = [*([pki.root / "ca.crt"] if created else []), *(pki.leaf(*name) for name in due)]
    return [str(path.relative_to(store.state_dir)) for path in paths]


@dataclass(frozen=True)
class Pki:
    """The certificates of one cluster.

    Args:
        root: ``state/pki``, or ``state/clusters/<cluster>/pki``.
        now: the clock, with zone.
    """

    root: Path
    now: Callable[[], datetime] = utc_now

    def ensure_ca(self) -> list[str]:
        """Create the authority if there is none, else check that it can be used.

        Returns:
            The files created.

        Raises:
            DamagedStateError: the CA has expired, its key does not belong to it, or a file cannot
                be read.
        """
        ensure_directory(self.root)
        created = []
        if not self._ca_crt.exists():
            # A run that was killed may have left the key alone; it is as good as a new one.
            if ensure_file(self._ca_key, lambda: certificates.key_pem(certificates.new_key())):
                created.append(self._ca_key.name)
            key = self._read_key(self._ca_key, "key of the CA")
            certificate = certificates.self_signed(key, self.now())
            if create_once(self._ca_crt, certificates.certificate_pem(certificate)):
                created.append(self._ca_crt.name)
        self._authority()
        return created

    def ensure_node_certificates(self, topology: Topology) -> list[str]:
        """Issue what is missing or due for renewal; see the rule above.

        Returns:
            ``<node>/<component>`` of every certificate issued.

        Raises:
            NotFoundError: there is no CA yet.
            DamagedStateError: the CA cannot be used.
        """
        authority = self._authority()
        ensure_directory(self.root / "nodes")
        with file_lock(self._lock):
            return [
                f"{request.node}/{request.component}"
                for request in _wanted(topology)
                if self._ensure_leaf(authority, request)
            ]

    def due(self, topology: Topology) -> tuple[bool, list[tuple[str, str]]]:
        """Whether the CA has to be created, and ``(node, component)`` of each leaf to issue."""
        wanted = _wanted(topology)
        if not self._ca_crt.exists():
            return True, [(request.node, request.component) for request in wanted]
        authority = self._authority()
        return False, [
            (request.node, request.component)
            for request in wanted
            if not self._still_good(authority, request)
        ]

    def leaf(self, node_name: str, component: str, kind: str = "crt") -> Path:
        """Where a node's certificate (``crt``) or its key (``key``) is."""
        folder = "master" if node_name == MASTER else f"nodes/{node_name}"
        return self.root / folder / f"{component}.{kind}"

    def superuser(self, kind: str = "crt") -> Path:
        """Where the certificate (``crt``) or key of the superuser's login from the master is."""
        return self.leaf(MASTER, "superuser", kind)

    def ca_certificate(self) -> str:
        """The CA's certificate, PEM."""
        return read_text(self._ca_crt, "certificate of the CA")

    def node_bundle(
        self, node_name: str, components: Sequence[str] = COMPONENTS
    ) -> dict[str, dict[str, str]]:
        """``{component: {"crt": PEM, "key": PEM}}`` of one node.

        Raises:
            NotFoundError: they have not been issued yet.
        """
        if not self._lock.exists():
            return self._read_bundle(node_name, components)
        with file_lock(self._lock, shared=True):
            return self._read_bundle(node_name, components)

    def _read_bundle(self, node_name: str, components: Sequence[str]) -> dict[str, dict[str, str]]:
        return {
            component: {
                kind: read_text(
                    self.leaf(node_name, component, kind), f"{component} {meant} of {node_name}"
                )
                for kind, meant in (("crt", "certificate"), ("key", "key"))
            }
            for component in components
        }

    def _ensure_leaf(self, authority: certificates.Authority, request: LeafRequest) -> bool:
        if self._still_good(authority, request):
            return False
        crt, key = self._pair(request)
        ensure_directory(crt.parent)
        new_key = certificates.new_key()
        issued = certificates.issue(request, new_key, authority, self.now())
        # Killed between the two: the pair does not match and the next run issues it again.
        replace(key, certificates.key_pem(new_key))
        replace(crt, certificates.certificate_pem(issued))
        return True

    def _still_good(self, authority: certificates.Authority, request: LeafRequest) -> bool:
        crt, key = (_text(path) for path in self._pair(request))
        return certificates.still_good(crt, key, request, authority, self.now())

    def _pair(self, request: LeafRequest) -> tuple[Path, Path]:
        node, component = request.node, request.component
        return self.leaf(node, component, "crt"), self.leaf(node, component, "key")

    def _authority(self) -> certificates.Authority:
        if self._ca_crt.exists() and not self._ca_key.exists():
            raise DamagedStateError(
                f"The key of the CA is missing ({self._ca_key}) and nothing can be issued without "
                "it; restore it from your backup of state/."
            )
        key = self._read_key(self._ca_key, "key of the CA")
        certificate = self._read_certificate(self._ca_crt, "certificate of the CA")
        if certificate.public_key() != key.public_key():
            raise DamagedStateError(
                f"The key in {self._ca_key} does not belong to the certificate in {self._ca_crt}; "
                "restore both from the same backup of state/."
            )
        if certificate.not_valid_after_utc <= self.now():
            raise DamagedStateError(
                f"The CA in {self._ca_crt} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; "
                "move state/pki away and deploy again, which issues new certificates for all nodes."
            )
        return certificates.Authority(certificate, key)

    def _read_key(self, path: Path, meant: str) -> ec.EllipticCurvePrivateKey:
        text = read_text(path, meant)
        return _parsed(functools.partial(certificates.parse_key, text), path, meant)

    def _read_certificate(self, path: Path, meant: str) -> x509.Certificate:
        text = read_text(path, meant)
        return _parsed(functools.partial(certificates.parse_certificate, text), path, meant)

    @property
    def _ca_crt(self) -> Path:
        return self.root / "ca.crt"

    @property
    def _ca_key(self) -> Path:
        return self.root / "ca.key"

    @property
    def _lock(self) -> Path:
        return self.root / ".lock"


def _wanted(topology: Topology) -> list[LeafRequest]:
    nodes = [each for node in topology.nodes for each in leaf_requests(topology, node)]
    return [*nodes, superuser_request()]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _parsed(parse: Callable[[], certificates.P], path: Path, meant: str) -> certificates.P:
    try:
        return parse()
    except ValueError:
        raise DamagedStateError(
            f"The {meant} in {path} is not the PEM text it should be; restore it from your backup "
            "of state/."
        ) from None
