"""Everything that can be wrong with one cluster's settings, as sentences, in the table's order."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pgha.model import rules
from pgha.model.defaults import CLUSTERS_KEY, DEFAULT_IMAGES, DEFAULTS, PORT_KEYS
from pgha.model.node_rules import node_names, node_problems
from pgha.model.parameters import parameter_problems
from pgha.model.rules import Rule, shown
from pgha.model.voting import named_voters
from pgha.voters import voter_problems

_PORT = rules.whole_number(1, 65535)

# Patroni's own minimums: patroni.readthedocs.io, "Dynamic Configuration Settings".
_RULES: dict[str, Rule] = {
    "postgresql_hostname": rules.host_name,
    "postgresql_cluster_name": rules.cluster_name,
    "postgresql_version": rules.whole_number(15, 18, "the PostgreSQL versions there are images of"),
    **dict.fromkeys(PORT_KEYS, _PORT),
    "patroni_ttl": rules.whole_number(20, None, "seconds; Patroni refuses less"),
    "patroni_loop_wait": rules.whole_number(1, None, "seconds; Patroni refuses less"),
    "patroni_retry_timeout": rules.whole_number(3, None, "seconds; Patroni refuses less"),
    "patroni_maximum_lag_on_failover": rules.whole_number(0, None, "bytes"),
    "postgresql_synchronous_mode": rules.one_of("off", "on", "quorum"),
    "postgresql_rolling": rules.one_of("auto", "manual"),
    "postgresql_app_database": rules.sql_name(rules.RESERVED_DATABASES),
    "postgresql_app_user": rules.sql_name(rules.RESERVED_ROLES),
    "postgresql_backup_retention_days": rules.whole_number(1, 3650, "days"),
    "postgresql_backup_schedule": rules.backup_schedule,
    "coolify_url": rules.web_address,
    "coolify_project": rules.coolify_name,
    "coolify_environment": rules.coolify_name,
    "coolify_controller": rules.host_name,
    "coolify_verify_tls": rules.boolean,
}

_OURS = ("postgresql_", "patroni_", "etcd_", "coolify_")
_SECRET = re.compile(r"passw|secret|token|private_?key", re.IGNORECASE)
_SECRET_OWNERS = re.compile(
    r"^(postgres|patroni|etcd|coolify|pgha|pgbouncer|superuser|replicator|replication|rewind"
    r"|monitor|restapi|app|database|db)(_|ql_|$)|^passwords?$",
    re.IGNORECASE,
)


def problems_of(pillar: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Every problem of one cluster's settings, and of keys in the pillar that are not settings."""
    return [
        *_key_problems({**pillar, **settings}),
        *_value_problems(settings),
        *node_problems(settings["postgresql_nodes"]),
        *_port_problems(settings),
        *_voter_problems(settings),
        *_timing_problems(settings),
        *parameter_problems(settings["postgresql_parameters"]),
        *_network_problems(settings, "postgresql_application_networks"),
        *_network_problems(settings, "postgresql_admin_networks"),
        *_client_problems(settings["postgresql_client_services"]),
        *_image_problems(settings["postgresql_images"]),
    ]


def _key_problems(keys: Mapping[str, Any]) -> Iterator[str]:
    for key in keys:
        if not isinstance(key, str) or key in DEFAULTS or key == CLUSTERS_KEY:
            continue
        if _SECRET.search(key) and _SECRET_OWNERS.search(key):
            yield (
                f"{key} must not be in the pillar: passwords are generated on the Salt master "
                "in state/postgresql/, the Coolify token belongs in state/coolify/token; "
                "remove the key, and change the secret if the pillar was ever shared."
            )
        elif key.startswith(_OURS):
            yield _unknown_key(key)


def _unknown_key(key: str) -> str:
    close = get_close_matches(key, [*DEFAULTS, CLUSTERS_KEY], n=1, cutoff=0.6)
    hint = f" Did you mean {close[0]}?" if close else " docs: the table of variables in README.md."
    return f"{key} is not a known setting.{hint}"


def _value_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, rule in _RULES.items():
        allowed = rule(settings[key])
        if allowed:
            yield f"{key} is {shown(settings[key])}: {allowed}."


def _port_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    keys_of: defaultdict[int, list[str]] = defaultdict(list)
    for key in PORT_KEYS:
        if _PORT(settings[key]) is None:
            keys_of[settings[key]].append(key)
    for port, keys in keys_of.items():
        if len(keys) > 1:
            yield (
                f"Port {port} is given to {' and '.join(keys)}: they share every server, so each "
                "needs a port of its own."
            )


def _voter_problems(settings: Mapping[str, Any]) -> list[str]:
    names = node_names(settings["postgresql_nodes"])
    if not names:
        return []  # reported with the nodes; a complaint about voters would only distract
    return voter_problems(names, named_voters(settings["etcd_voters"], settings))


def _timing_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    keys = ("patroni_ttl", "patroni_loop_wait", "patroni_retry_timeout")
    ttl, loop_wait, retry_timeout = (settings[key] for key in keys)
    if not all(rules.is_number(settings[key]) for key in keys):
        return
    needed = loop_wait + 2 * retry_timeout
    if needed > ttl:
        yield (
            f"patroni_loop_wait + 2 * patroni_retry_timeout is {loop_wait} + 2 * {retry_timeout} = "
            f"{needed}, more than patroni_ttl ({ttl}): Patroni requires loop_wait + 2 * "
            "retry_timeout <= ttl, otherwise a leader could lose its lock while it still retries; "
            "raise patroni_ttl or lower the others."
        )


def _network_problems(settings: Mapping[str, Any], key: str) -> Iterator[str]:
    networks = settings[key]
    if not isinstance(networks, list):
        yield f"{key} is {shown(networks)}: it must be a list of networks, as in [10.0.0.0/8]."
        return
    for item in networks:
        allowed = rules.network(item)
        if allowed:
            yield f"{key} contains {shown(item)}: {allowed}."


def _client_problems(services: object) -> Iterator[str]:
    if not isinstance(services, list) or not all(isinstance(name, str) for name in services):
        yield (
            f"postgresql_client_services is {shown(services)}: it must be a list of names or "
            "uuids of Coolify services."
        )


def _image_problems(images: object) -> Iterator[str]:
    if not isinstance(images, Mapping):
        yield (
            f"postgresql_images is {shown(images)}: it must be a mapping of component to image; "
            f"the components are {', '.join(DEFAULT_IMAGES)}."
        )
        return
    for component, reference in images.items():
        if component not in DEFAULT_IMAGES:
            yield (
                f"postgresql_images names {shown(component)}: the components are "
                f"{', '.join(DEFAULT_IMAGES)}."
            )
            continue
        spelled = reference.replace("{version}", "16") if isinstance(reference, str) else reference
        allowed = rules.image(spelled)
        if allowed:
            yield f"postgresql_images:{component} is {shown(reference)}: {allowed}."
