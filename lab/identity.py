"""Who trusts whom: Salt keys by content, the master by fingerprint, SSH servers by host key.

Nothing is accepted on first sight. The keys are made on the servers; this collects the public
parts through the engine, which is the one channel that cannot be somebody else's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from lab.instance import Instance, Server
from lab.servers import InsideFile

MASTER_CONF = "/etc/salt/minion.d/master.conf"
MASTER_PUBLIC_KEY_SEEN = "/etc/salt/pki/minion/minion_master.pub"
SEEDED = "/etc/salt/pki/master/seeded"
SCHEDULE_CONF = "/etc/salt/master.d/schedule.conf"
SCHEDULE = """\
# Takes a backup when postgresql_backup_schedule in the pillar says so (off by default).
schedule:
  PostgreSQL backups that are due:
    function: postgres.backup_if_due
    minutes: 5
    maxrunning: 1
    return_job: false
"""

Facts = Mapping[str, Any]


def master_fingerprint(public_key: str) -> str:
    """As ``salt-key -F master`` prints it: SHA-256 of the PEM's inner lines, in byte pairs.

    The rule is that of ``salt.utils.crypt.pem_finger`` (3008.3).
    """
    lines = [line + "\n" for line in public_key.strip().splitlines() if line.strip()]
    digest = hashlib.sha256("".join(lines[1:-1]).encode()).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def server_files(instance: Instance, server: Server, controller: Facts) -> list[InsideFile]:
    """What every server gets: its master with fingerprint, and Coolify's key."""
    master_conf = (
        f"master: {instance.controller.host}\n"
        f"id: {server.host}\n"
        f"master_finger: '{master_fingerprint(controller['master_key'])}'\n"
    )
    return [
        InsideFile(MASTER_CONF, master_conf),
        InsideFile("/root/.ssh/authorized_keys", controller["coolify_key"] + "\n", 0o600),
    ]


def master_files(everyone: Mapping[Server, Facts], code_hash: str) -> list[InsideFile]:
    """What the master gets: the keys it accepts, and which code it runs (a new one restarts it)."""
    keys = [
        InsideFile(f"/etc/salt/pki/master/minions/{server.host}", facts["minion_key"] + "\n")
        for server, facts in everyone.items()
    ]
    return [*keys, InsideFile(SCHEDULE_CONF, SCHEDULE), InsideFile(SEEDED, code_hash + "\n")]


def known_hosts(everyone: Mapping[Server, Facts]) -> str:
    """The servers' SSH host keys by address and name, in OpenSSH's format."""
    lines = []
    for server, facts in everyone.items():
        kind, key = facts["ssh_host_key"].split()[:2]
        lines.append(f"{server.ip},{server.host} {kind} {key}\n")
    return "".join(lines)


def changed(files: Iterable[InsideFile], facts: Facts) -> list[InsideFile]:
    """Those of ``files`` that the server does not have as they should be."""
    return [file for file in files if facts["paths"].get(file.path) != file.sha256]
