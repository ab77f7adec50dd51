"""
What Coolify should hold. Every state looks, compares, acts, looks again and compares again; with
``test=True`` it returns the changes that acting would make.

.. code-block:: yaml

    Coolify holds and runs every etcd stack of the cluster:
      coolify.stacks_running:
        - components: [etcd]

Runs on the controller minion only.
"""

from __future__ import annotations

try:
    from pgha_minion.settle import Sentences, settle

    MISSING = None
except ImportError as error:
    MISSING = error.name

__virtualname__ = "coolify"


def __virtual__():
    if MISSING:
        return False, f"Python package {MISSING} is missing; install requirements/salt.txt"
    if "coolify.converge" not in __salt__:
        return False, "the execution module coolify is not loaded"
    return __virtualname__


def project_present(name, cluster=None):
    """
    A project of that name exists.

    name
        Name of the project, 3 characters or more.
    cluster
        Name of the cluster whose Coolify is meant. Defaults to the only one.
    """

    def look():
        found = __salt__["coolify.project"](name, cluster=cluster)
        return {} if found else {f"project {name}": {"old": None, "new": name}}

    return _settled(
        name,
        f"Project {name}",
        "created",
        look,
        lambda: __salt__["coolify.project_create"](name, cluster=cluster),
    )


def environment_present(name, project=None, cluster=None):
    """
    An environment of that name exists in an existing project.

    name
        Name of the environment, 3 characters or more.
    project
        Name of its project. Defaults to the cluster's own.
    cluster
        Name of the cluster whose Coolify is meant. Defaults to the only one.
    """

    def look():
        found = __salt__["coolify.environment"](name, project=project, cluster=cluster)
        return {} if found else {f"environment {name}": {"old": None, "new": name}}

    return _settled(
        name,
        f"Environment {name}",
        "created",
        look,
        lambda: __salt__["coolify.environment_create"](name, project=project, cluster=cluster),
    )


def service_present(name, server, compose, apply_changes=False, cluster=None):
    """
    A service of that name is stored with that compose text. A new one is not started
    (``service_running`` does that); running containers are not touched unless ``apply_changes``.

    name
        Name of the service in the cluster's environment.
    server
        Name, address or uuid of a server as Coolify knows it.
    compose
        Compose text, or the mapping it stands for. No secrets: Coolify stores it readable.
    apply_changes
        Recreate the containers when the text has changed. Defaults to False.
    cluster
        Name of the cluster whose Coolify is meant. Defaults to the only one.
    """

    last = {}

    def put(test):
        last.update(
            __salt__["coolify.service_put"](
                name, server, compose, apply_changes=apply_changes, test=test, cluster=cluster
            )
        )
        return _with_starts(last)

    return _settled(
        name,
        f"Service {name}",
        "stored",
        lambda: put(True),
        lambda: put(False),
        remark=lambda: _pending(last["pending_recreate"]),
    )


def service_running(name, cluster=None):
    """
    Every container of a stored service runs now (Coolify inspects them; its status can be minutes
    old). When none or not all run, the service is started, which recreates all of its containers.
    The start is queued: whether containers come up is for a later look.

    name
        Name of the service in the cluster's environment.
    cluster
        Name of the cluster whose Coolify is meant. Defaults to the only one.
    """

    def look():
        live = __salt__["coolify.stack_status"](name, live=True, cluster=cluster)["live"]
        down = sorted(container for container, runs in live.items() if not runs)
        if live and not down:
            return {}
        return {name: {"old": f"not running: {', '.join(down) or 'all'}", "new": "start queued"}}

    return _settled(
        name,
        f"Service {name}",
        "started",
        look,
        lambda: __salt__["coolify.service_start"](name, cluster=cluster),
        look_again=dict,
        fine=f"Service {name} runs.",
    )


def service_absent(name, cluster=None):
    """
    No service of that name exists. Images, volumes and directories bound from the server stay.

    name
        Name of the service in the cluster's environment.
    cluster
        Name of the cluster whose Coolify is meant. Defaults to the only one.
    """

    def look():
        rows = __salt__["coolify.services"](cluster=cluster)
        uuids = [row["uuid"] for row in rows if row["name"] == name]
        return {name: {"old": " and ".join(uuids), "new": None}} if uuids else {}

    return _settled(
        name,
        f"Service {name}",
        "deleted",
        look,
        lambda: __salt__["coolify.service_delete"](name, cluster=cluster),
        fine=f"Service {name} is absent.",
    )


def cleanup_disabled(name, cluster=None):
    """
    Coolify's nightly clean-up, which removes every image that no container uses, is off.

    name
        Name, address or uuid of a server as Coolify knows it.
    cluster
        Name of the cluster whose Coolify is meant. Defaults to the only one.
    """

    def look():
        on = __salt__["coolify.cleanup"](name, cluster=cluster)
        return {f"nightly clean-up of {name}": {"old": "on", "new": "off"}} if on else {}

    return _settled(
        name,
        f"The nightly clean-up of {name}",
        "switched off",
        look,
        lambda: __salt__["coolify.cleanup_disable"](name, cluster=cluster),
        fine=f"The nightly clean-up of {name} is off.",
    )


def stacks_running(
    name, components=None, nodes=None, not_running=(), apply_changes=False, cluster=None
):
    """
    Coolify holds the cluster's stacks as declared, and those named in ``not_running`` and the newly
    created ones are started.

    name
        A sentence; or a component, when ``components`` is not given and it is one.
    components
        List of etcd, patroni, router, exporter. Defaults to all.
    nodes
        List of nodes by name or host. Defaults to all.
    not_running
        Names of stacks whose containers do not run, as Docker on the servers says. Defaults to
        none; a stack that exists and is not named is never started.
    apply_changes
        Recreate running containers whose compose text has changed. Defaults to False.
    cluster
        Name of the cluster. Defaults to the only one.
    """
    if components is None and name in ("etcd", "patroni", "router", "exporter"):
        components = [name]

    last = {}

    def run(test, stopped=tuple(not_running)):
        last.update(
            __salt__["coolify.converge"](
                cluster=cluster,
                components=components,
                nodes=nodes,
                not_running=list(stopped),
                apply_changes=apply_changes,
                test=test,
            )
        )
        return _with_starts(last)

    return _settled(
        name,
        "Coolify",
        "converged",
        lambda: run(True),
        lambda: run(False),
        look_again=lambda: run(True, stopped=()),
        remark=lambda: _pending(last["pending_recreate"]),
        fine="Coolify holds every stack as declared.",
    )


def hostname_known(name, restart=False, cluster=None):
    """
    Every service with the tag ``postgresql`` (and every one in the pillar's
    ``postgresql_client_services``) resolves the database hostname to its own server.

    name
        A sentence; not used.
    restart
        Restart the running services that were changed. Defaults to False: they need a redeploy.
    cluster
        Name of the cluster. Defaults to the only one.
    """

    comments = []

    def run(test):
        outcome = __salt__["coolify.tag_clients"](cluster=cluster, restart=restart, test=test)
        # What the look after acting no longer says (redeploy) still has to be done by someone.
        comments.extend(text for text in outcome["comments"] if text not in comments)
        return outcome["changes"]

    return _settled(
        name,
        "The hostname of tagged services",
        "written",
        lambda: run(True),
        lambda: run(False),
        remark=lambda: " ".join(comments),
        fine="Every tagged service knows the hostname.",
    )


def _settled(name, thing, verb, look, act, *, look_again=None, remark=str, fine=None):
    """``look`` returns the changes that acting would make."""
    said = Sentences(
        fine=fine or f"{thing} is present.",
        would=f"{thing} would have been {verb}.",
        done=f"{thing} was {verb}.",
        left=f"{thing} was {verb}, but Coolify still differs in: {{keys}}.",
    )
    return settle(
        name, look, act, said, test=__opts__["test"], look_again=look_again, remark=remark
    )


def _with_starts(outcome):
    starts = {name: {"old": "not running", "new": "start queued"} for name in outcome["started"]}
    recreated = {name: {"old": "old text", "new": "recreated"} for name in outcome["recreated"]}
    return {**starts, **recreated, **outcome["changes"]}


def _pending(names):
    if not names:
        return ""
    return f"Still running from the old compose text, to be recreated: {', '.join(names)}."
