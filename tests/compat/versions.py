"""What is put together in one combination, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass

DIRECTORY = "/tmp/cluster"
SCOPE = "main"


@dataclass(frozen=True)
class Versions:
    """``login``: etcd asks for user and password, with TLS instead of client certificates.

    ``binary``: the exporter's psycopg brings its own libpq.
    """

    image: str
    patroni: str
    postgres: int
    etcd: str
    tls: bool
    login: bool = False
    binary: bool = False

    def __str__(self) -> str:
        more = ["-login"] * self.login + ["-binary"] * self.binary
        tls = "tls" if self.tls else "plain"
        return f"patroni{self.patroni}-postgres{self.postgres}-etcd{self.etcd}-{tls}{''.join(more)}"

    @property
    def etcd_program(self) -> str:
        return "/opt/etcd-3.4" if (self.image, self.etcd) == ("new", "3.4") else "/usr/bin/etcd"

    @property
    def client_certificates(self) -> bool:
        """etcd's gateway, over which Patroni asks, takes them or a login, not both."""
        return self.tls and not self.login

    @property
    def jwt(self) -> bool:
        """Tokens that end while they are used; etcd 3.5's simple ones end when nobody used them.

        Those of 3.4 last five minutes and have no setting; a restart brings simple tokens back.
        """
        return self.login and self.etcd == "3.4"

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"
