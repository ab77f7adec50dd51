"""All files of a server together: complete, private where needed, and whom a change concerns."""

from __future__ import annotations

import copy
from collections import Counter

import pytest

from pgha.errors import NotFoundError
from pgha.render.compose import STACK_COMPONENTS, stack_compose
from pgha.render.files import directories_for, files_for, reload_action, reload_targets
from tests.unit.render.samples import secrets, topology

sizes = pytest.mark.parametrize("nodes", [3, 4, 5, 7, 40])


def _all(nodes=4):
    cluster = topology(nodes)
    return cluster, [file for node in cluster.nodes for file in files_for(cluster, node, secrets())]


@sizes
def test_no_secret_in_a_file_that_is_not_one(nodes):
    _, files = _all(nodes)
    assert [file.path for file in files if not file.secret and "CANARY" in file.content] == []


@sizes
def test_secret_files_are_private_and_stay_out_of_a_repr(nodes):
    _, files = _all(nodes)
    private = [file for file in files if file.secret]
    assert {file.mode for file in private} == {0o600}
    assert not [file for file in private if "CANARY" in repr(file)]


@sizes
def test_no_secret_in_what_coolify_stores(nodes):
    cluster = topology(nodes)
    texts = [stack_compose(cluster, n, part) for n in cluster.nodes for part in STACK_COMPONENTS]
    assert not [text for text in texts if "CANARY" in text or "assword" in text]


def test_a_secret_occurs_only_where_it_is_needed():
    cluster = topology()
    places = {
        name: sorted(
            file.path.rsplit("/", 2)[-2] + "/" + file.path.rsplit("/", 1)[1]
            for file in files_for(cluster, cluster.nodes[0], secrets())
            if f"CANARY-{name}" in file.content
        )
        for name in (
            "password-superuser",
            "password-pgbouncer",
            "verifier-app",
            "key-etcd-client",
            "password-monitor",
            "hash-exporter",
        )
    }
    assert places == {
        "password-superuser": ["patroni/patroni.yml"],
        "password-pgbouncer": ["router/userlist.txt"],
        "verifier-app": [],
        "key-etcd-client": [
            "etcd/client.key",
            "exporter/etcd-client.key",
            "patroni/etcd-client.key",
        ],
        "password-monitor": ["exporter/monitor_password"],
        "hash-exporter": ["exporter/web.yml"],
    }


@sizes
def test_every_path_once_and_in_a_managed_directory(nodes):
    cluster = topology(nodes)
    for node in cluster.nodes:
        files = files_for(cluster, node, secrets())
        assert max(Counter(file.path for file in files).values()) == 1
        known = {directory.path for directory in directories_for(cluster, node)}
        for file in files:
            assert file.path.rsplit("/", 1)[0] in known | {"/usr/local/bin"}


def test_parents_come_before_children_and_mounts_are_there():
    cluster = topology()
    paths = [directory.path for directory in directories_for(cluster, cluster.nodes[0])]
    for number, path in enumerate(paths):
        assert not [later for later in paths[number:] if path.startswith(f"{later}/")]
    for component in STACK_COMPONENTS:
        text = stack_compose(cluster, cluster.nodes[0], component)
        for line in text.splitlines():
            if line.strip().startswith('- "/') and line.count(":") == 2:
                assert line.strip()[3:].split(":")[0] in paths


def test_data_belongs_to_who_writes_it():
    cluster = topology()
    owners = {
        each.path.rsplit("/", 1)[1]: (each.uid, each.mode)
        for each in directories_for(cluster, cluster.nodes[0])
        if each.path.startswith("/var/lib/pgha/coolify_postgres/")
    }
    assert owners == {"etcd": (998, 0o700), "postgresql": (999, 0o700), "exporter": (0, 0o755)}


def test_two_clusters_on_one_server_share_only_equal_files():
    first, second = topology(), topology(4, postgresql_cluster_name="second")
    by_path = {file.path: file for file in files_for(first, first.nodes[0], secrets())}
    shared = [
        file for file in files_for(second, second.nodes[0], secrets()) if file.path in by_path
    ]
    assert len(shared) == 5
    assert all(file == by_path[file.path] for file in shared)


@pytest.mark.parametrize(
    "path", [("passwords", "rewind"), ("node", "postgresql"), ("ca_crt",), ("verifiers", "monitor")]
)
def test_a_missing_secret_is_named_and_no_other_is_shown(path):
    broken = copy.deepcopy(secrets())
    place = broken["pgha"]
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    cluster = topology()
    with pytest.raises(NotFoundError, match=" ".join(path)) as error:
        files_for(cluster, cluster.nodes[0], broken)
    assert "CANARY" not in str(error.value)


@pytest.mark.parametrize(
    ("component", "name", "action", "targets"),
    [
        ("etcd", "etcd.yml", "restart", []),
        ("etcd", "ca.crt", "restart", []),
        ("etcd", "server.crt", "none", []),
        ("etcd", "client.key", "none", []),
        ("patroni", "patroni.yml", "reload", [("patroni", "HUP")]),
        ("patroni", "postgresql.crt", "reload", [("patroni", "HUP")]),
        ("restapi", "restapi.cfg", "reload", [("restapi", "USR2")]),
        ("router", "haproxy.cfg", "reload", [("haproxy", "USR2")]),
        ("router", "pgbouncer.ini", "reload", [("pgbouncer", "HUP")]),
        ("router", "userlist.txt", "reload", [("pgbouncer", "HUP")]),
        ("router", "pgbouncer.key", "reload", [("pgbouncer", "HUP")]),
        ("router", "ca.crt", "reload", [("haproxy", "USR2"), ("pgbouncer", "HUP")]),
        ("wrapper", "psql", "none", []),
        ("ca", "ca.crt", "none", []),
    ],
)
def test_who_is_told_of_a_changed_file(component, name, action, targets):
    path = f"/etc/pgha/coolify_postgres/{component}/{name}"
    assert reload_action(component, path) == action
    assert list(reload_targets(component, path)) == targets
