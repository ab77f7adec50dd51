"""The exporter as a stranger installs it: its wheel in an environment of its own, four settings."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from pgha import bcrypt
from pgha.wait import Pending, poll
from tests.compat import etcd
from tests.compat.cluster import MEMBERS, Cluster
from tests.compat.container import COMMAND_S, ROOT
from tests.compat.versions import DIRECTORY, SCOPE

SOURCES = (
    "exporter/pyproject.toml", "exporter/README.md", "exporter/pgha_exporter", "_utils/pgha",
)  # fmt: skip
PROGRAM = "/tmp/exporter/bin/pgha-exporter"
START_S = 30
Values = dict[str, float]


def build_wheel(folder: Path, image: str) -> Path:
    """The wheel of this checkout, built without a network."""
    packed = subprocess.run(
        ["tar", "--exclude=__pycache__", "-C", ROOT, "-c", *SOURCES],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    script = (
        "mkdir /tmp/s && tar -x -C /tmp/s && /opt/patroni-3.3/bin/pip wheel -q --no-index --no-deps"
        " --find-links /wheels/exporter -w /tmp/w /tmp/s/exporter >&2 && tar -c -C /tmp/w ."
    )
    done = subprocess.run(
        ["docker", "run", "--rm", "-i", image, "sh", "-c", script],
        input=packed, capture_output=True, timeout=COMMAND_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    subprocess.run(["tar", "-x", "-C", folder], input=done.stdout, check=True)
    return next(folder.glob("pgha_exporter-*.whl"))


def install(cluster: Cluster, wheel: Path) -> None:
    """A clean environment with the wheel and what it asks for."""
    container = cluster.container
    subprocess.run(["docker", "cp", "-q", wheel, f"{container.name}:/tmp/"], check=True)
    extras = "grpc,binary" if cluster.versions.binary else "grpc"
    container.run("python3", "-m", "venv", "/tmp/exporter")
    container.run(
        "/tmp/exporter/bin/pip", "install", "-q", "--no-index", "--find-links", "/wheels/exporter",
        f"/tmp/{wheel.name}[{extras}]",
    )  # fmt: skip


def libpq(cluster: Cluster) -> str:
    """Whose libpq psycopg uses: ``python`` for the system's, ``binary`` for its own."""
    show = "import psycopg.pq; print(psycopg.pq.__impl__)"
    return cluster.container.run("/tmp/exporter/bin/python", "-c", show).strip()


@dataclass(frozen=True)
class Exporter:
    """One beside a member; ``protocol`` is the way to etcd."""

    cluster: Cluster
    member: str
    protocol: str = "auto"
    more: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return MEMBERS[self.member][1] + 2

    @property
    def log(self) -> str:
        return self.cluster.container.run("cat", f"{self._name}.log")

    @property
    def _name(self) -> str:
        return f"{DIRECTORY}/exporter-{self.member}"

    def environment(self) -> dict[str, str]:
        """The four settings, and what TLS, a second member and a test from outside need."""
        cluster, (postgres, api) = self.cluster, MEMBERS[self.member]
        scheme = cluster.versions.scheme
        dsn = f"host=127.0.0.1 port={postgres} dbname=postgres user=pgha_monitor"
        settings = {
            "SCOPE": SCOPE,
            "MEMBER": self.member,
            "POSTGRES_DSN": dsn,
            "ETCD_ENDPOINTS": f"{scheme}://127.0.0.1:2379",
            "WEB_LISTEN": f"0.0.0.0:{self.port}",
        }
        if self.protocol != "auto":
            settings["ETCD_PROTOCOL"] = self.protocol
        if api != 8008 or cluster.versions.tls:
            settings["PATRONI_URL"] = f"{scheme}://127.0.0.1:{api}"
        if cluster.versions.tls:
            settings |= self._tls(dsn, postgres, api)
        if cluster.versions.login:
            settings["ETCD_USERNAME"] = etcd.EXPORTER
            settings["ETCD_PASSWORD_FILE"] = f"{DIRECTORY}/etcd-password"
        given = {f"PGHA_EXPORTER_{name}": value for name, value in (settings | self.more).items()}
        # Without TLS the password comes in libpq's own way.
        return given if cluster.versions.tls else given | {"PGPASSFILE": f"{DIRECTORY}/pgpass"}

    def _tls(self, dsn: str, postgres: int, api: int) -> dict[str, str]:
        tls = f"{DIRECTORY}/tls"
        pair = {"ETCD_CERT_FILE": f"{tls}/server.crt", "ETCD_KEY_FILE": f"{tls}/server.key"}
        return {
            "POSTGRES_DSN": f"{dsn} sslmode=verify-full sslrootcert={tls}/ca.crt",
            "POSTGRES_PASSWORD_FILE": f"{DIRECTORY}/monitor-password",
            "PATRONI_CA_FILE": f"{tls}/ca.crt",
            "ETCD_CA_FILE": f"{tls}/ca.crt",
            "CERTIFICATE_DIRECTORY": tls,
            "SERVED_PORTS": f"postgres:{postgres},{api},2379,{self.port}",
            "WEB_CONFIG_FILE": f"{tls}/web.yml",
            **(pair if self.cluster.versions.client_certificates else {}),
        }

    def check(self) -> str:
        """What ``--check`` prints; fails with its complaints."""
        return self.cluster.container.run(
            "env", *(f"{name}={value}" for name, value in self.environment().items()),
            PROGRAM, "--check",
        )  # fmt: skip

    def start(self) -> None:
        if self.cluster.versions.tls:
            hashed = bcrypt.hash_password(self.cluster.web, bytes(range(16)), cost=4)
            text = (
                "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
                f"basic_auth_users: {{prometheus: '{hashed}'}}\n"
            )
            self.cluster.container.write(f"{DIRECTORY}/tls", {"web.yml": text})
        self.cluster.container.start_process(self._name, [PROGRAM], self.environment())
        self.wait_for("a first answer", lambda values: bool(values))

    def stop(self) -> None:
        self.cluster.container.signal(self._name, "TERM")

    @property
    def url(self) -> str:
        return f"{self.cluster.versions.scheme}://{self.cluster.container.address}:{self.port}"

    def get(self, path: str, *, password: bool = True) -> httpx.Response:
        return self.client(password=password).get(path)

    def client(self, *, password: bool = True) -> httpx.Client:
        login = ("prometheus", self.cluster.web)
        tls = self.cluster.versions.tls
        return httpx.Client(
            base_url=self.url,
            verify=self.cluster.trust() if tls else False,
            auth=login if tls and password else None,
            timeout=10,
            trust_env=False,
        )

    def scrape(self) -> Values:
        """Samples by ``name{label values without scope}``, sorted by the labels' names."""
        answer = self.get("/metrics")
        assert answer.status_code == 200, answer.text
        return {
            f"{sample.name}{{{_labels(sample.labels)}}}": sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def wait_for(self, what: str, check: object, deadline_s: float = START_S) -> Values:
        def look() -> Values | Pending:
            try:
                values = self.scrape()
            except httpx.TransportError as err:
                return Pending(type(err).__name__)
            return values if check(values) else Pending(_ups(values))  # type: ignore[operator]

        return poll(look, deadline_s=deadline_s, interval_s=0.3, what=what)

    def memory_mib(self) -> float:
        """Resident memory now; the exporter's own metric may be ten seconds old."""
        show = f'grep VmRSS "/proc/$(cat {self._name}.pid)/status"'
        return int(self.cluster.container.run("sh", "-c", show).split()[1]) / 1024


def _labels(labels: dict[str, str]) -> str:
    return ",".join(value for name, value in sorted(labels.items()) if name != "scope")


def _ups(values: Values) -> str:
    return " ".join(f"{k}={v:g}" for k, v in values.items() if k.startswith("pgha_source_up"))
