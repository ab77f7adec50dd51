"""
The cluster's stacks in Coolify: what Coolify holds of them, and what it should hold.

Runs on the controller minion (pillar ``coolify_controller``), the only one whose pillar holds the
token. The address, project and environment are the pillar's ``coolify_*`` keys. Compose texts are
never returned. The other files that begin with ``coolify_`` add verbs to this module: for servers,
for projects and environments, for single services.
"""

from __future__ import annotations

try:
    from pgha.coolify import clients_of, lookup, stopping
    from pgha.coolify import converge as converging
    from pgha.coolify import survey as surveying
    from pgha.coolify.wish import wish
    from pgha.model.clusters import settings_of
    from pgha.render.compose import stack_compose
    from pgha_minion.coolify import connected

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "coolify"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


def version(cluster=None):
    """
    Return the version of Coolify.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.version

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        return client.version()


def survey(cluster=None):
    """
    Return whether a deploy would get through Coolify: version, the Coolify server of every node,
    project, environment, every stack (uuid, status, hash, whether it is current), and all problems
    at once. A server that Coolify calls unfit is validated again first, for 20 seconds at most.
    Changes nothing and never fails for what Coolify answers.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.survey

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        return surveying.survey(client, topology, stack_compose)


def converge(
    cluster=None, components=None, nodes=None, not_running=(), apply_changes=False, test=False
):
    """
    Make Coolify hold the cluster's stacks as declared and start those that do not run. Returns
    ``changes``, ``started``, ``recreated``, ``already_starting``, ``pending_recreate`` (running
    from an older compose text than the stored one), ``advice`` and the number of ``requests``.
    Fails with all problems before anything is changed.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.converge test=True
        salt controller.lan coolify.converge components=router nodes=app-server-1.lan

    cluster
        Name of the cluster. Defaults to the only one.
    components
        Any of etcd, patroni, router, exporter, as a list or separated by commas. Defaults to all.
    nodes
        Nodes by name or host, as a list or separated by commas. Defaults to all.
    not_running
        Names of stacks whose containers do not run, as Docker on the servers says; they are
        started. A stack that exists and is not named is never started. Defaults to none.
    apply_changes
        Recreate the containers of running stacks whose compose text has changed. Defaults to False:
        the text is stored and the stack is reported as pending.
    test
        Only say what would be done. Defaults to False.
    """
    with _coolify(cluster) as (client, topology):
        wanted = wish(
            topology,
            components=_listed(components),
            nodes=_listed(nodes),
            not_running=_listed(not_running),
            apply_changes=apply_changes,
            test=test,
        )
        outcome = converging.converge(client, topology, wanted, stack_compose)
        return outcome.as_dict(client.requests)


def stack_status(name=None, live=False, cluster=None):
    """
    Return the cluster's stacks as Coolify has them, ``{name: {uuid, status, server, hash,
    recreate_pending, containers}}``, or one service of that form when a name is given.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.stack_status
        salt controller.lan coolify.stack_status coolify_postgres-postgres-node-1-etcd live=True

    name
        A service of the cluster's environment. Defaults to all stacks of the cluster.
    live
        With a name: also ask whether each container runs right now (``live``: name to bool, one
        request each); the status can be minutes old. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        if name is None:
            return lookup.cluster_stacks(client, topology)
        service = lookup.need_service(client, topology, name)
        shown = lookup.described_service(service)
        return {**shown, "live": lookup.live_parts(client, service)} if live else shown


def stop_stacks(components, nodes=None, cluster=None):
    """
    Stop stacks of the cluster on many servers at once and return their names; Coolify has only
    queued it then. A stack that it believes stopped is left out.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.stop_stacks router,patroni nodes=app-server-1.lan

    components
        Of etcd, patroni, router, as a list or separated by commas.
    nodes
        Nodes by name or host, as a list or separated by commas. Defaults to all.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        return stopping.stop_stacks(client, topology, _listed(components), _listed(nodes))


def tag_clients(cluster=None, restart=False, test=False):
    """
    Give every service that carries the tag ``postgresql``, or is named in the pillar's
    ``postgresql_client_services``, the database hostname (``extra_hosts`` in its compose text).
    Returns ``changes``, ``redeploy_needed``, ``restarted``, ``skipped``, ``comments`` and
    ``requests``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.tag_clients test=True

    cluster
        Name of the cluster. Defaults to the only one.
    restart
        Restart the running services that were changed. Defaults to False: they are reported as
        needing a redeploy.
    test
        Only say what would be done. Defaults to False.
    """
    with _coolify(cluster) as (client, topology):
        outcome = clients_of.tag_clients(
            client,
            topology,
            named=settings_of(__pillar__, topology.cluster)["postgresql_client_services"],
            restart=restart,
            test=test,
        )
        return outcome.as_dict(client.requests)


def _coolify(cluster):
    return connected(__pillar__, __grains__["id"], cluster)


def _listed(words):
    """A list, whether the operator wrote a list, `a,b` or nothing."""
    if isinstance(words, str):
        return [word.strip() for word in words.split(",") if word.strip()]
    return list(words or ())
