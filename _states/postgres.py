"""The steps of `salt-run state.orchestrate postgres.deploy`, run on the Salt master.

Each is a state of its own so that the summary reads as the list of what was checked and changed;
the work is in ``pgha.deploy``. They share one look at the servers, made by :func:`checked`.
"""

from __future__ import annotations

try:
    from pgha.backup import journal
    from pgha.backup import restore as restoring
    from pgha.deploy import check, etcd, steps
    from pgha.deploy.cleanup import switch_cleanup_off
    from pgha.deploy.deployment import Deployment
    from pgha.deploy.leftovers import etcd_leftovers
    from pgha.errors import PghaError
    from pgha.operate.operation import Outcome
    from pgha.pki import ensure_pki, missing_pki
    from pgha.roll import run as rolling
    from pgha.secrets import SecretStore
    from pgha_master import operation as running
    from pgha_master.quiet import hush_salt_at_exit

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "postgres"

CONTEXT_KEY = "pgha_deployment"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if __opts__.get("__role") != "master":
        return False, "the states of postgres.deploy run on the Salt master, by salt-run"
    return __virtualname__


def checked(name, cluster=None):
    """
    The pillar is valid, every minion answers, servers and Coolify are fit; no other deploy runs.

    name
        A sentence; not used.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _run(name, cluster, lambda deployment: {})


def restore_prepared(name, backup=None, confirm=None, cluster=None):
    """
    The backup is whole and fits; the place for it is empty, old data is kept aside.

    name
        A sentence; not used.
    backup
        Name or path of the backup.
    confirm
        The cluster's name, when it holds data or the backup is of another cluster.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _run(name, cluster, lambda deployment: restoring.prepare(deployment, backup, confirm))


def restored(name, backup=None, cluster=None):
    """
    The leader holds what the backup's manifest says.

    name
        A sentence; not used.
    backup
        Name or path of the backup.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    return _run(name, cluster, lambda deployment: restoring.restore(deployment, backup))


def planned(name, cluster=None):
    """The impact of every change is shown before anything is changed."""
    return _run(name, cluster, rolling.announce)


def secrets_present(name, cluster=None):
    """
    Passwords, the CA and a certificate per node and component exist on the master.

    name
        A sentence; not used.
    """
    return _run(name, cluster, _ensure_secrets)


def servers_configured(name, cluster=None):
    """Every server has its directories, files, images (which Coolify keeps) and the hostname."""
    return _run(name, cluster, _configure_servers)


def etcd_running(name, cluster=None):
    """etcd has quorum with the planned voters, and its learner; what is left over is named."""
    return _run(
        name,
        cluster,
        lambda deployment: (etcd.run_etcd(deployment), etcd_leftovers(deployment)),
    )


def leader_running(name, cluster=None):
    """PostgreSQL has a leader; a new cluster is initialised on the preferred primary."""
    return _run(name, cluster, steps.run_leader)


def replicas_running(name, cluster=None):
    """Every other node streams on the leader's timeline."""
    return _run(name, cluster, steps.run_replicas)


def database_configured(name, cluster=None):
    """Dynamic configuration, roles and databases are as declared."""
    return _run(name, cluster, steps.configure_database)


def rolled(name, cluster=None):
    """
    Nothing runs with old settings, an old image or an old configuration: what a change needs is
    restarted one member at a time, the leader after a switchover.
    """
    return _run(name, cluster, rolling.roll)


def routers_running(name, cluster=None):
    """Every server has a router."""
    return _run(name, cluster, steps.run_routers)


def exporters_running(name, cluster=None):
    """Every server has an exporter for Prometheus."""
    return _run(name, cluster, steps.run_exporters)


def applications_told(name, cluster=None):
    """Services tagged ``postgresql`` resolve the hostname to their own server's router."""
    return _run(name, cluster, steps.tell_applications)


def proved(name, cluster=None):
    """Every server writes through the hostname and every replica shows what was written."""
    return _run(name, cluster, steps.prove)


def _run(name, cluster, action):
    try:
        answer = action(_deployment(cluster))
    except (PghaError, OSError) as error:
        return running.failed(name, error)
    changes, comments = answer if isinstance(answer, tuple) else (answer, [])
    return running.state_return(name, Outcome(changes, comments), test=__opts__["test"])


def _deployment(cluster):
    if CONTEXT_KEY not in __context__:
        hush_salt_at_exit()
        deployment = Deployment(**vars(running.make_operation(__opts__, __pillar__, cluster)))
        # Held until this process ends, which is when the orchestration does.
        lock = running.operation_lock(__opts__, deployment.topology, "deploy")
        lock.__enter__()
        deployment.keep.append(lock)
        _mind_restores(deployment)
        check.check(deployment)
        __context__[CONTEXT_KEY] = deployment
    return __context__[CONTEXT_KEY]


def _mind_restores(deployment):
    """A restore excludes backups; any other deploy waits for a restore that was interrupted."""
    if not __pillar__.get("backup_file"):
        journal.refuse_unfinished(deployment.state_dir, deployment.topology)
        return
    lock = running.operation_lock(__opts__, deployment.topology, "restore", "backup")
    lock.__enter__()
    deployment.keep.append(lock)


def _ensure_secrets(deployment):
    with deployment.step("passwords and certificates exist"):
        topology = deployment.topology
        store = SecretStore.of(deployment.state_dir, topology)
        if deployment.test:
            created = [*store.missing(topology), *missing_pki(store, topology)]
        else:
            created = [*store.ensure_all(topology), *ensure_pki(store, topology)]
        if created and not deployment.test:
            check.refresh_pillar(deployment)
        return {secret: {"old": None, "new": "created"} for secret in created}


def _configure_servers(deployment):
    kept, advice = switch_cleanup_off(deployment)
    return {**kept, **steps.configure_servers(deployment)}, advice
