"""
Where in Coolify the stacks are: projects and their environments, by name. Verbs of the module
``coolify``.
"""

from __future__ import annotations

try:
    from pgha.coolify import lookup
    from pgha.coolify.creating import ensure_environment, ensure_project
    from pgha_minion.coolify import connected

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "coolify"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    return __virtualname__


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
        owner = lookup.need_project(client, topology, project)
        return ensure_environment(client, owner, name or topology.coolify.environment)[0].uuid


def _coolify(cluster):
    return connected(__pillar__, __grains__["id"], cluster)
