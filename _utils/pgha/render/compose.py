"""The compose text of each stack: what Coolify starts on a server.

The rules come from Coolify's behaviour (contract 3 and 4) and are checked by the tests: absolute
directories in short syntax with a mode, no variables, no secrets, keys that never change. A changed
text recreates every container of the stack, so whatever can change lives in files instead.
"""

from __future__ import annotations

from pgha.errors import NotFoundError
from pgha.render import haproxy, restapi
from pgha.render.compose_text import Value, compose_text
from pgha.render.places import (
    CERTIFICATES,
    COOLIFY_NETWORK,
    DATA_ONLY_SEEN,
    ETCD,
    ETCD_VOLUME,
    EXPORTER,
    EXPORTER_STATUS,
    HAPROXY,
    IN_CONTAINER,
    PGBOUNCER,
    POSTGRES,
    POSTGRES_VOLUME,
    SOCKETS,
    cluster_directory,
    config_directory,
    data_directory,
    pool_alias,
)
from pgha.topology import Node, Topology

STACK_COMPONENTS = ("etcd", "patroni", "router", "exporter")
"""In the order in which they may be started."""

_CONTAINERS = {
    "etcd": ("etcd",),
    "patroni": ("patroni", "restapi"),
    "router": ("haproxy", "pgbouncer"),
    "exporter": ("exporter",),
}

TEMPORARY = "/tmp:mode=1777"  # noqa: S108 - a tmpfs of the container's own

Service = dict[str, Value]


def stack_name(topology: Topology, node: Node, component: str) -> str:
    """The stack's name in Coolify: ``<cluster>-<node>-<component>``."""
    return f"{topology.cluster}-{node.name}-{component}"


def stack_containers(component: str) -> tuple[str, ...]:
    """The service keys of a component's stack; raises NotFoundError for an unknown component."""
    if component not in _CONTAINERS:
        raise NotFoundError(
            f"'{component}' is not a stack; the stacks are {', '.join(STACK_COMPONENTS)}."
        )
    return _CONTAINERS[component]


def stack_compose(topology: Topology, node: Node, component: str) -> str:
    """The compose text of one stack; the same input gives the same bytes.

    Raises:
        NotFoundError: there is no stack of that component.
    """
    stack_containers(component)
    build = {
        "etcd": _etcd_stack,
        "patroni": _patroni_stack,
        "router": _router_stack,
        "exporter": _exporter_stack,
    }[component]
    document: dict[str, Value] = {"services": build(topology, node)}
    if component == "router":
        document["networks"] = {COOLIFY_NETWORK: {"external": True}}
    return compose_text(document)


def _etcd_stack(topology: Topology, node: Node) -> dict[str, Value]:
    service = _service(topology, node, "etcd", topology.images.etcd, ETCD)
    service["network_mode"] = "host"
    service["stop_grace_period"] = "30s"
    service["volumes"] = [
        _configuration(topology, "etcd"),
        f"{data_directory(topology, 'etcd')}:{ETCD_VOLUME}:rw",
    ]
    service["healthcheck"] = _health(_etcd_answers(topology), start_period="30s")
    return {"etcd": service}


def _patroni_stack(topology: Topology, node: Node) -> dict[str, Value]:
    return {"patroni": _patroni(topology, node), "restapi": _restapi(topology, node)}


def _patroni(topology: Topology, node: Node) -> Service:
    service = _service(topology, node, "patroni", topology.images.patroni, POSTGRES)
    service["network_mode"] = "host"
    # Parallel queries share memory there; Docker's 64 MB would fail them. It is a limit, not a use.
    service["shm_size"] = "1gb"
    # Recreation waits for the shutdown checkpoint; Coolify's own stop allows 30 s only.
    service["stop_grace_period"] = "120s"
    service["volumes"] = [
        _configuration(topology, "patroni"),
        f"{data_directory(topology, 'postgresql')}:{POSTGRES_VOLUME}:rw",
    ]
    service["tmpfs"] = [TEMPORARY, f"{SOCKETS}:uid={POSTGRES},gid={POSTGRES},mode=0755"]
    ready = f"/usr/lib/postgresql/{topology.version}/bin/pg_isready"
    service["healthcheck"] = _health(
        [ready, "-q", "-h", SOCKETS, "-p", str(topology.member_port)], start_period="60s"
    )
    return service


def _restapi(topology: Topology, node: Node) -> Service:
    service = _service(topology, node, "patroni", topology.images.router, HAPROXY)
    service["command"] = _haproxy_command("restapi.cfg")
    service["network_mode"] = "host"
    service["stop_grace_period"] = "10s"
    service["volumes"] = [_configuration(topology, "restapi")]
    service["healthcheck"] = _health(_http_answers(topology.restapi_port, restapi.ALIVE))
    return service


def _router_stack(topology: Topology, node: Node) -> dict[str, Value]:
    return {"haproxy": _haproxy(topology, node), "pgbouncer": _pgbouncer(topology, node)}


def _haproxy(topology: Topology, node: Node) -> Service:
    service = _service(topology, node, "router", topology.images.router, HAPROXY)
    service["command"] = _haproxy_command("haproxy.cfg")
    service["stop_grace_period"] = "10s"
    service["ports"] = [
        f"{node.url_host}:{port}:{port}"
        for port in (topology.port, topology.replica_port, topology.pool_port)
    ]
    service["networks"] = {COOLIFY_NETWORK: {"aliases": [topology.hostname]}}
    service["volumes"] = [_configuration(topology, "router")]
    service["healthcheck"] = _health(_http_answers(haproxy.HEALTH_PORT, "/health"))
    return service


def _pgbouncer(topology: Topology, node: Node) -> Service:
    service = _service(topology, node, "router", topology.images.router, PGBOUNCER)
    service["command"] = ["pgbouncer", f"{IN_CONTAINER}/pgbouncer.ini"]
    # Since 1.23 SIGTERM waits for every client to leave; SIGINT only for running transactions.
    service["stop_signal"] = "SIGINT"
    service["stop_grace_period"] = "20s"
    service["networks"] = {COOLIFY_NETWORK: {"aliases": [pool_alias(topology)]}}
    service["volumes"] = [_configuration(topology, "router")]
    service["healthcheck"] = _health(_bash(f"exec 3<>/dev/tcp/127.0.0.1/{topology.pool_port}"))
    return service


def _exporter_stack(topology: Topology, node: Node) -> dict[str, Value]:
    service = _service(topology, node, "exporter", topology.images.exporter, EXPORTER)
    service["network_mode"] = "host"
    service["stop_grace_period"] = "10s"
    service["volumes"] = [
        _configuration(topology, "exporter"),
        # Certificates may be read by all, keys by their owners only; of the data directory it sees
        # no more than how much room there is.
        f"{cluster_directory(topology)}:{CERTIFICATES}:ro",
        f"{data_directory(topology, 'postgresql')}:{DATA_ONLY_SEEN}:ro",
        f"{data_directory(topology, 'exporter')}:{EXPORTER_STATUS}:ro",
    ]
    service["healthcheck"] = _health(
        _bash(f"exec 3<>/dev/tcp/{node.ip}/{topology.exporter_port}"), start_period="20s"
    )
    return {"exporter": service}


def _service(topology: Topology, node: Node, component: str, image: str, user: int) -> Service:
    return {
        "image": image,
        # Salt puts images on the servers; a name without a registry must never come from elsewhere.
        "pull_policy": "never",
        "user": f"{user}:{user}",
        "restart": "unless-stopped",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": [TEMPORARY],
        "logging": {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}},
        "labels": {
            "pgha.cluster": topology.cluster,
            "pgha.node": node.name,
            "pgha.component": component,
        },
    }


def _configuration(topology: Topology, component: str) -> str:
    return f"{config_directory(topology, component)}:{IN_CONTAINER}:ro"


def _haproxy_command(config: str) -> list[Value]:
    return ["haproxy", "-W", "-db", "-f", f"{IN_CONTAINER}/{config}"]


def _health(test: list[str], *, start_period: str = "10s") -> dict[str, Value]:
    """Only Coolify's display reads it, which looks every 60 s itself (contract, 5).

    Docker starts a process in the container for each check: every 10 s, six containers took 3.5 %
    of a core of every server (measured), so it is Docker's own default.
    """
    return {
        "test": ["CMD", *test],
        "interval": "30s",
        "timeout": "5s",
        "retries": 3,
        "start_period": start_period,
    }


def _etcd_answers(topology: Topology) -> list[str]:
    """This member answers; unlike ``endpoint health`` that also holds for a learner."""
    return [
        "etcdctl",
        f"--endpoints=https://127.0.0.1:{topology.etcd_client_port}",
        f"--cacert={IN_CONTAINER}/ca.crt",
        f"--cert={IN_CONTAINER}/server.crt",
        f"--key={IN_CONTAINER}/server.key",
        "endpoint",
        "status",
    ]


def _http_answers(port: int, path: str) -> list[str]:
    """A 200 from this container's HAProxy; the image has bash and no HTTP client."""
    return _bash(
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && "
        f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.. 200' <&3"
    )


def _bash(script: str) -> list[str]:
    return ["bash", "-c", script]
