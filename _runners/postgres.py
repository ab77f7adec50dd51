"""Verbs of the Salt master for a PostgreSQL cluster: what it is like right now.

Changing verbs are orchestrations: ``salt-run state.orchestrate postgres.deploy``.
"""

from __future__ import annotations

from salt.exceptions import SaltInvocationError

try:
    from pgha.deploy.observe import observe
    from pgha.errors import PghaError
    from pgha.topology import Topology
    from pgha_master.fleet import SaltFleet
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
    try:
        topology = Topology.from_pillar(__salt__["pillar.show_pillar"](), cluster)
    except PghaError as error:
        raise SaltInvocationError(str(error)) from error
    hush_salt_at_exit()
    data = observe(topology, SaltFleet(__opts__))
    # Salt takes the exit status from this key, and unwraps only the pair data and outputter.
    data["retcode"] = 0 if data["healthy"] else 1
    return {"data": data, "outputter": "postgres_status"}
