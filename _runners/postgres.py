"""Verbs of the Salt master for a PostgreSQL cluster: what it is like right now.

Changing verbs are orchestrations: ``salt-run state.orchestrate postgres.deploy``.
"""

from __future__ import annotations

from contextlib import contextmanager

from salt.exceptions import SaltInvocationError

try:
    from pgha.backup import store
    from pgha.backup.schedule import is_due
    from pgha.backup.take import store_root
    from pgha.deploy.observe import observe
    from pgha.errors import PghaError
    from pgha.lock import utc_now
    from pgha.topology import Topology, cluster_names
    from pgha_master.fleet import SaltFleet
    from pgha_master.operation import state_directory
    from pgha_master.quiet import hush_salt_at_exit

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def status(cluster=None):
    """
    Show the cluster: each member's own answer, etcd's quorum, the routes from every server and
    Coolify's view, with every disagreement named. The exit status is 1 when it is not healthy.

    CLI Example:

    .. code-block:: bash

        salt-run postgres.status
        salt-run postgres.status --out=json

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    hush_salt_at_exit()
    backup = store.summary(_backups(topology).all(), utc_now())
    data = observe(topology, SaltFleet(__opts__), backup)
    # Salt takes the exit status from this key, and unwraps only the pair data and outputter.
    data["retcode"] = 0 if data["healthy"] else 1
    return {"data": data, "outputter": "postgres_status"}


def backups(cluster=None):
    """
    List the backups on this Salt master, newest first: when, how large, from where, verified or
    not.

    CLI Example:

    .. code-block:: bash

        salt-run postgres.backups
        salt-run postgres.backups --out=json

    cluster
        Name of the cluster. Defaults to the only one.
    """
    topology = _topology(cluster)
    hush_salt_at_exit()
    found = _backups(topology)
    now = utc_now()
    rows = [store.described(backup, now) for backup in found.all()]
    data = {"cluster": topology.cluster, "folder": str(found.root), "backups": rows}
    return {"data": data, "outputter": "postgres_backups"}


def backup_if_due(cluster=None):
    """
    Take a backup when ``postgresql_backup_schedule`` says that it is time, for the master's own
    scheduler. Returns what the orchestration returned, or an empty dictionary when nothing was due.

    CLI Example:

    .. code-block:: bash

        salt-run postgres.backup_if_due

    cluster
        Name of the cluster. Defaults to every declared one.
    """
    pillar = __salt__["pillar.show_pillar"]()
    with _operator_errors():
        names = [cluster] if cluster else cluster_names(pillar)
        due = [name for name in names if _is_due(Topology.from_pillar(pillar, name))]
    hush_salt_at_exit()
    return {
        name: __salt__["state.orchestrate"]("postgres.backup", pillar={"cluster": name})
        for name in due
    }


def _is_due(topology):
    newest = _backups(topology).newest_good()
    last = newest.manifest.finished if newest else None
    return is_due(topology.backup_schedule, last, utc_now())


def _topology(cluster):
    with _operator_errors():
        return Topology.from_pillar(__salt__["pillar.show_pillar"](), cluster)


def _backups(topology):
    return store.BackupStore(store_root(state_directory(__opts__), topology))


@contextmanager
def _operator_errors():
    try:
        yield
    except PghaError as error:
        raise SaltInvocationError(str(error)) from error
