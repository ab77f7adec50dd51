"""X.509 as the cluster uses it: what each component's certificate says, and making one.

Validity begins an hour early, so that a server whose clock lags accepts a new certificate.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from pgha.render.accounts import SUPERUSER

if TYPE_CHECKING:
    from pgha.model.entities import Node
    from pgha.topology import Topology

P = TypeVar("P")

CA_LIFETIME = timedelta(days=3652)
LEAF_LIFETIME = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=30)
_EARLY = timedelta(hours=1)

COMPONENTS = ("etcd-server", "etcd-client", "patroni", "postgresql", "pgbouncer", "exporter")
MASTER = "@master"
"""In the place of a node's name, and never one: the Salt master's own certificate."""

_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
# A voter is also a client of its peers, and etcd's HTTP gateway dials its own server with the
# server's certificate (etcd.io/docs, "Transport security model").
_USAGES: dict[str, tuple[ObjectIdentifier, ...]] = {
    "etcd-server": (_SERVER, _CLIENT),
    "etcd-client": (_CLIENT,),
    "patroni": (_SERVER,),
    "postgresql": (_SERVER,),
    "pgbouncer": (_SERVER,),
    "exporter": (_SERVER,),
}


@dataclass(frozen=True)
class LeafRequest:
    """What one certificate must say: subject, names and addresses, usages."""

    node: str
    component: str
    common_name: str
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    usages: tuple[ObjectIdentifier, ...]

    def alternative_names(self) -> list[x509.GeneralName]:
        """The subject alternative names in their fixed order."""
        names = [x509.DNSName(name) for name in self.dns_names]
        return [*names, *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in self.addresses)]


@dataclass(frozen=True)
class Authority:
    """The CA's certificate and, never in a repr, its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def leaf_requests(topology: Topology, node: Node) -> list[LeafRequest]:
    """The certificates of one node, one per component that it runs."""
    return [_request(topology, node, component) for component in components_of(topology, node)]


def components_of(topology: Topology, node: Node) -> tuple[str, ...]:
    """The names in `COMPONENTS` that a node has a certificate for; only members serve etcd."""
    is_member = topology.runs(node, "etcd")
    return tuple(name for name in COMPONENTS if is_member or name != "etcd-server")


def superuser_request() -> LeafRequest:
    """The Salt master's certificate for logging in to PostgreSQL as its superuser.

    PostgreSQL compares the common name with the role (``clientcert=verify-full``), so no other
    certificate of the CA opens that door.
    """
    return LeafRequest(MASTER, "superuser", SUPERUSER, ("salt-master",), (), (_CLIENT,))


def _request(topology: Topology, node: Node, component: str) -> LeafRequest:
    usages = _USAGES[component]
    if component == "etcd-client":
        return LeafRequest(
            node.name, component, f"patroni-{node.name}", (node.name, node.host), (), usages
        )
    # Applications know PostgreSQL and PgBouncer by the cluster's name, on whatever server they are.
    first = [topology.hostname] if component in ("postgresql", "pgbouncer") else []
    names = dict.fromkeys([*first, node.name, node.host, "localhost"])
    return LeafRequest(
        node.name,
        component,
        f"{component}-{node.name}",
        tuple(names),
        (node.ip, "127.0.0.1"),
        usages,
    )


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """The CA's own certificate; it may sign leaves only."""
    subject = _name("pgha cluster CA")
    return (
        _begin(subject, subject, key.public_key(), now, now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def issue(
    request: LeafRequest, key: ec.EllipticCurvePrivateKey, authority: Authority, now: datetime
) -> x509.Certificate:
    """A leaf certificate for the key; it never outlives the CA."""
    ca = authority.certificate
    until = min(now + LEAF_LIFETIME, ca.not_valid_after_utc)
    ca_key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        _begin(_name(request.common_name), ca.subject, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(request.usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(request.alternative_names()), critical=False)
        .add_extension(ca_key_id, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def still_good(
    crt: str | None, key: str | None, request: LeafRequest, authority: Authority, now: datetime
) -> bool:
    """False when the pair must be issued (again)."""
    if crt is None or key is None:
        return False
    try:
        certificate, private_key = parse_certificate(crt), parse_key(key)
    except ValueError:
        return False
    return (
        certificate.public_key() == private_key.public_key()
        and _signed_by(certificate, authority)
        and _outlasts(certificate, authority, now)
        and _says(certificate, request)
    )


def _outlasts(certificate: x509.Certificate, authority: Authority, now: datetime) -> bool:
    until = certificate.not_valid_after_utc
    if certificate.not_valid_before_utc > now:
        return False  # issued while the master's clock was ahead
    # Near the CA's end a new leaf would not last longer; issuing it on every run changes nothing.
    return until - now >= RENEWED_BEFORE or until == authority.certificate.not_valid_after_utc


def _signed_by(certificate: x509.Certificate, authority: Authority) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # cryptography raises three kinds, all of which mean no
        return False
    return True


def _says(certificate: x509.Certificate, request: LeafRequest) -> bool:
    extensions = certificate.extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return (
        certificate.subject == _name(request.common_name)
        and list(names) == request.alternative_names()
        and list(usages) == list(request.usages)
    )


def parse_certificate(text: str) -> x509.Certificate:
    """Raises ValueError for anything but one PEM certificate."""
    return x509.load_pem_x509_certificate(text.encode("ascii"))


def parse_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError for anything but an EC key without passphrase."""
    try:
        key = serialization.load_pem_private_key(text.encode("ascii"), password=None)
    except (TypeError, ValueError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC private key in PEM")
    return key


def certificate_pem(certificate: x509.Certificate) -> str:
    """PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """PEM text, PKCS#8, without passphrase: whoever reads state/ has everything anyway."""
    plain = serialization.NoEncryption()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, plain).decode("ascii")


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(until)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
