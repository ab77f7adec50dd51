"""
Coolify as the PostgreSQL cluster needs it: its servers, one project, one environment, and the
cluster's stacks in it.

Runs on the controller minion (pillar ``coolify_controller``), the only one whose pillar holds the
token. The address, project and environment are the pillar's ``coolify_*`` keys. A service is named
by its name in that environment. Compose texts are never returned.
"""

from __future__ import annotations

import json
from contextlib import contextmanager

from salt.exceptions import CommandExecutionError

try:
    from pgha.coolify import cleanup as cleaning
    from pgha.coolify import clients_of, lookup
    from pgha.coolify import converge as converging
    from pgha.coolify import survey as surveying
    from pgha.coolify.client import CoolifyClient
    from pgha.coolify.creating import Pace, ensure_environment, ensure_project
    from pgha.coolify.ground import only_server
    from pgha.coolify.starting import start_one
    from pgha.coolify.stopping import stop_stacks as stopping
    from pgha.errors import NotFoundError, PghaError
    from pgha.held import held_secrets
    from pgha.model.clusters import settings_of
    from pgha.render.compose import stack_compose
    from pgha.topology import Topology

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


def servers(cluster=None):
    """
    Return every server that Coolify manages: uuid, name, ip, reachable, usable, nightly_cleanup.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.servers

    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        return [lookup.described_server(server) for server in client.servers()]


def services(environment=None, cluster=None):
    """
    Return the services of an environment: uuid, name, status (Coolify's, up to minutes old),
    server, hash of the stored compose text (ours only), recreate_pending, containers.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.services
        salt controller.lan coolify.services staging

    environment
        Name of an environment in the cluster's project. Defaults to the cluster's own.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        found = lookup.find_environment(client, topology, environment)
        return [lookup.described_service(row) for row in found.services] if found else []


def survey(cluster=None):
    """
    Return whether a deploy would get through Coolify: version, the Coolify server of every node,
    project, environment, every stack (uuid, status, hash, whether it is current), and all problems
    at once. Changes nothing and never fails for what Coolify answers.

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
        wanted = converging.wish(
            topology,
            components=_listed(components),
            nodes=_listed(nodes),
            not_running=_listed(not_running),
            apply_changes=apply_changes,
            test=test,
        )
        outcome = converging.converge(client, topology, wanted, stack_compose)
        return outcome.as_dict(client.requests)


def cleanup_disable_all(test=False, cluster=None):
    """
    Switch Coolify's nightly clean-up of unused images off for every server of the cluster that has
    it on. Returns ``changes``, ``advice`` and the number of ``requests``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.cleanup_disable_all test=True

    test
        Only say what would be done. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        outcome = cleaning.switch_off_everywhere(client, topology, test=test)
        return outcome.as_dict(client.requests)


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


def service_put(name, server, compose, apply_changes=False, test=False, cluster=None):
    """
    Store a service of any name: created (and not started) when missing, changed when its compose
    text is another. Returns the same as ``converge``.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_put web builder.lan '{services: {web: {image: nginx}}}'

    name
        Name of the service.
    server
        Name, address or uuid of a server as Coolify knows it.
    compose
        Compose text, or the mapping it stands for. No secrets: Coolify stores it readable.
    apply_changes
        Recreate the containers when the text has changed. Defaults to False.
    test
        Only say what would be done. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        outcome = converging.store_one(
            client,
            topology,
            name=name,
            server=server,
            compose=compose if isinstance(compose, str) else json.dumps(compose),
            apply_changes=apply_changes,
            test=test,
        )
        return outcome.as_dict(client.requests)


def service_start(name, cluster=None):
    """
    Start a service that does not run; every container is recreated. Returns True once Coolify has
    queued it, which says nothing about its outcome.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_start coolify_postgres-postgres-node-1-etcd

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        start_one(client, lookup.need_service(client, topology, name).uuid, name)
        return True


def service_stop(name, cluster=None):
    """
    Stop a service without cleaning images up; containers get 30 seconds at most. Returns False
    when Coolify believes that it is stopped already.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_stop coolify_postgres-postgres-node-1-router

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        return client.stop_service(lookup.need_service(client, topology, name).uuid, name)


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
        return stopping(client, topology, _listed(components), _listed(nodes))


def service_restart(name, cluster=None):
    """
    Stop all containers of a service and start it again, without pulling images. Returns True once
    Coolify has queued it.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_restart coolify_postgres-postgres-node-1-router

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        client.restart_service(lookup.need_service(client, topology, name).uuid, name)
        return True


def service_delete(name, cluster=None):
    """
    Delete a service and wait until it is gone (2 minutes at most). Its containers are removed;
    images, volumes and directories bound from the server stay. Returns False when there was none.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.service_delete coolify_postgres-postgres-node-9-etcd

    name
        Name of the service.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        return lookup.delete_and_wait(client, topology, name, Pace())


def project(name=None, cluster=None):
    """
    Return uuid and name of a project, None when there is none of that name.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.project

    name
        Name of the project. Defaults to the cluster's own.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        found = lookup.find_project(client, topology, name)
        return {"uuid": found.uuid, "name": found.name} if found else None


def project_create(name=None, cluster=None):
    """
    Create a project unless there is one of that name, and return its uuid.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.project_create databases

    name
        Name of the project. Defaults to the cluster's own.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        found = lookup.find_project(client, topology, name)
        return (found or ensure_project(client, topology, name)).uuid


def environment(name=None, project=None, cluster=None):
    """
    Return uuid and name of an environment and how many services it has, None when it or its
    project does not exist.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.environment staging

    name
        Name of the environment. Defaults to the cluster's own.
    project
        Name of its project. Defaults to the cluster's own.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        found = lookup.find_environment(client, topology, name, project)
        if found is None:
            return None
        return {"uuid": found.uuid, "name": found.name, "services": len(found.services)}


def environment_create(name=None, project=None, cluster=None):
    """
    Create an environment in an existing project unless it is there, and return its uuid.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.environment_create staging

    name
        Name of the environment, 3 characters or more. Defaults to the cluster's own.
    project
        Name of its project. Defaults to the cluster's own.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, topology):
        owner = lookup.find_project(client, topology, project)
        if owner is None:
            raise NotFoundError(
                f"Coolify at {client.url} has no project "
                f"{project or topology.coolify.project}: create it first (coolify.project_create)."
            )
        return ensure_environment(client, owner, name or topology.coolify.environment)[0].uuid


def cleanup(server, cluster=None):
    """
    Return whether Coolify's nightly clean-up of unused images is on for a server.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.cleanup app-server-1.lan

    server
        Name, address or uuid of a server as Coolify knows it.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        return client.docker_cleanup(only_server(client.servers(), server, client.url).uuid)


def cleanup_disable(server, cluster=None):
    """
    Switch Coolify's nightly clean-up of unused images off for a server. Returns True.

    CLI Example:

    .. code-block:: bash

        salt controller.lan coolify.cleanup_disable app-server-1.lan

    server
        Name, address or uuid of a server as Coolify knows it.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    with _coolify(cluster) as (client, _):
        client.disable_docker_cleanup(only_server(client.servers(), server, client.url).uuid)
        return True


@contextmanager
def _coolify(cluster):
    """A client and the topology; what goes wrong becomes one sentence for the operator."""
    try:
        topology = Topology.from_pillar(__pillar__, cluster)
        settings = topology.coolify
        with CoolifyClient(settings.url, _token(topology), verify=settings.verify_tls) as client:
            yield client, topology
    except PghaError as err:
        raise CommandExecutionError(str(err)) from err


def _token(topology):
    token = held_secrets(__pillar__, topology).get("coolify_token")
    if not token:
        raise CommandExecutionError(
            f"The pillar of {__grains__['id']} holds no Coolify token of cluster "
            f"{topology.cluster}: write it to state/coolify/token on the master, run this on "
            f"{topology.coolify.controller} (coolify_controller), and refresh the pillar."
        )
    return token


def _listed(words):
    """A list, whether the operator wrote a list, `a,b` or nothing."""
    if isinstance(words, str):
        return [word.strip() for word in words.split(",") if word.strip()]
    return list(words or ())
