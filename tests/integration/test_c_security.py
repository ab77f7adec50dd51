"""What must be refused is refused, and no secret is where it does not belong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support.lab import Lab

CONFIG = "/etc/pgha/coolify_postgres"


def secrets(lab: Lab) -> dict[str, str]:
    """Every generated password and private key, by file name."""
    passwords = (lab.state / "postgresql").glob("*_password.txt")
    found = {path.name: path.read_text().strip() for path in passwords}
    for key in (lab.state / "pki").rglob("*.key"):
        found[str(key.relative_to(lab.state))] = key.read_text().splitlines()[1]
    assert len(found) > 15
    return found


def found_in(text: str, lab: Lab) -> list[str]:
    return [name for name, secret in secrets(lab).items() if secret in text]


def test_state_cannot_be_read_through_the_file_server(cluster: Lab) -> None:
    canary = cluster.state / "canary.txt"
    canary.write_text("canary")
    try:
        names = json.dumps(cluster.salt("app-server-1*", "cp.list_master"))
        assert "postgres/deploy.sls" in names
        assert not [bad for bad in ("canary", "password", "ca.key", "pki/") if bad in names]
        for path in ("canary.txt", "state/canary.txt", "../state/canary.txt",
                     "../../var/lib/pgha-state/canary.txt"):  # fmt: skip
            answer = cluster.salt("app-server-1*", "cp.get_file_str", f"salt://{path}")
            assert list(answer.values()) == [False]
    finally:
        canary.unlink()


def test_state_directory_is_closed(cluster: Lab) -> None:
    assert cluster.state.stat().st_mode & 0o077 == 0
    for path in [*cluster.state.rglob("*_password.txt"), *cluster.state.rglob("*.key")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_secret_in_what_coolify_has_stored(cluster: Lab) -> None:
    files = "cat /data/coolify/stand-in/*.sqlite* /data/coolify/stand-in/*.log"
    stored = cluster.check(cluster.controller, "sh", "-c", files)
    assert "coolify_postgres-postgres-node-1-etcd" in stored
    assert found_in(stored, cluster) == []
    for server in cluster.servers:
        composed = cluster.check(server, "sh", "-c", "cat /data/coolify/services/*/*")
        assert found_in(composed, cluster) == []


def test_no_secret_in_job_cache_returns_or_logs(cluster: Lab) -> None:
    cached = cluster.check(
        cluster.controller, "sh", "-c",
        "find /var/cache/salt/master/jobs -type f -exec cat {} + | tr '\\0' ' '; "
        "cat /var/log/salt/* || true",
    )  # fmt: skip
    assert found_in(cached, cluster) == []
    for server in cluster.servers:
        logs = cluster.check(server, "sh", "-c", "cat /var/log/salt/* /var/log/*/current || true")
        assert found_in(logs, cluster) == []
        names = cluster.check(server, "docker", "ps", "--format", "{{.Names}}").split()
        for name in names:
            done = cluster.run(server, "docker", "logs", name)
            assert found_in(done.stdout + done.stderr, cluster) == [], name


def test_no_secret_in_a_command_line(cluster: Lab) -> None:
    for server in cluster.servers:
        commands = cluster.check(server, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert found_in(commands, cluster) == []


def test_node_pillar_holds_only_the_secrets_of_its_role(cluster: Lab) -> None:
    token = cluster.read_secret("coolify/token")
    app = cluster.read_secret("postgresql/app_password.txt")
    ca_key = (cluster.state / "pki" / "ca.key").read_text().splitlines()[1]
    # The ext_pillar itself, not pillar.items: Salt masks what looks secret there, and a return
    # with secrets would end in the job cache.
    program = (
        "import json, sys, yaml\n"
        "sys.path[:0] = ['/srv/pgha/ext/_utils', '/srv/pgha/ext/_pillar']\n"
        "import pgha_secrets\n"
        "site = yaml.safe_load(open('/srv/pgha/site/postgresql/site.sls'))\n"
        "print(json.dumps({m: pgha_secrets.ext_pillar(m, site) for m in sys.argv[1:]}))\n"
    )
    command = ("/opt/salt/bin/python", "-c", program, *cluster.servers, "stranger")
    pillars = json.loads(cluster.check(cluster.controller, *command))
    assert pillars.pop("stranger") == {}
    for minion, pillar in pillars.items():
        text = json.dumps(pillar)
        assert (token in text) == (minion == cluster.controller)
        assert app not in text
        assert ca_key not in text
        own = next(node["name"] for node in cluster.nodes() if node["host"] == minion)
        for folder in (cluster.state / "pki" / "nodes").iterdir():
            keys = [path.read_text().splitlines()[1] for path in folder.glob("*.key")]
            assert any(key in text for key in keys) == (folder.name == own)


def test_switchover_without_password_is_refused(cluster: Lab) -> None:
    address = cluster.address(cluster.servers[0])
    request = ["curl", "--silent", "--cacert", f"{CONFIG}/ca.crt", "-o", "/dev/null",
               "-w", "%{http_code}", "-X", "POST", "-d", "{}"]  # fmt: skip
    code = cluster.check(cluster.servers[1], *request, f"https://{address}:8008/switchover")
    assert code == "401"


def test_local_listener_answers_reads_and_refuses_writes(cluster: Lab) -> None:
    for server in cluster.servers:
        members = json.loads(
            cluster.check(server, "curl", "--silent", "http://localhost:8008/cluster")
        )
        assert len(members["members"]) == 4
        refused = cluster.check(
            server, "curl", "--silent", "-o", "/dev/null", "-w", "%{http_code}",
            "-X", "POST", "-d", "{}", "http://localhost:8008/switchover",
        )  # fmt: skip
        assert refused in ("403", "405")


def test_etcd_client_without_certificate_is_refused(cluster: Lab) -> None:
    address = cluster.address(cluster.servers[0])
    url = f"https://{address}:2379/v3/maintenance/status"
    request = ["curl", "--silent", "--show-error", "--cacert", f"{CONFIG}/ca.crt", "-X", "POST"]
    refused = cluster.run(cluster.servers[1], *request, "-d", "{}", url)
    assert refused.returncode != 0
    assert "certificate" in refused.stderr
    certificate = ["--cert", f"{CONFIG}/etcd/client.crt", "--key", f"{CONFIG}/etcd/client.key"]
    assert cluster.run(cluster.servers[1], *request, *certificate, "-d", "{}", url).returncode == 0


def test_plain_text_remote_login_is_refused(cluster: Lab) -> None:
    program = (
        "import sys, psycopg\n"
        "try:\n"
        "    psycopg.connect(sys.argv[1], password=sys.stdin.readline().strip())\n"
        "except psycopg.OperationalError as error:\n"
        "    sys.exit(str(error))\n"
    )
    password = cluster.read_secret("postgresql/app_password.txt")
    address = cluster.address(cluster.servers[0])
    for port in (5434, 5432):
        conninfo = f"host={address} port={port} dbname=application user=app_user sslmode=disable"
        done = cluster.run(
            cluster.servers[1], "/opt/salt/bin/python", "-c", program, conninfo, stdin=password
        )
        assert done.returncode == 1
        assert "pg_hba.conf rejects" in done.stderr or "no encryption" in done.stderr


def test_minion_keys_are_accepted_one_by_one(cluster: Lab) -> None:
    files = "cat /etc/salt/master.d/*"
    config = cluster.check(cluster.controller, "sh", "-c", files)
    assert "auto_accept: true" not in config.lower()
    assert "open_mode: true" not in config.lower()
    keys = json.loads(cluster.check(cluster.controller, "salt-key", "--list=all", "--out=json"))
    assert sorted(keys["minions"]) == sorted(cluster.servers)
    assert keys["minions_pre"] == []


def test_containers_do_not_run_as_root(cluster: Lab) -> None:
    for server in cluster.servers:
        for name in cluster.check(server, "docker", "ps", "--format", "{{.Names}}").split():
            rows = cluster.check(server, "docker", "top", name, "-o", "pid,uid").splitlines()[1:]
            users = {row.split()[1] for row in rows}
            assert users, name
            assert "0" not in users, name


def test_no_secret_is_tracked_by_git() -> None:
    git = ["git", "-C", str(Path(__file__).resolve().parents[2])]
    tracked = subprocess.run(
        [*git, "ls-files", "state"], capture_output=True, text=True, check=True
    )
    assert tracked.stdout.split() == ["state/.gitignore"]
    subprocess.run([*git, "check-ignore", "-q", "state/postgresql/app_password.txt"], check=True)
