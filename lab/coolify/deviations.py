"""Where Coolify 4.3.11, and so the stand-in, deviates from its own openapi.json (contract 9).

The contract test applies these to the specification before it validates answers; nothing else may
deviate.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UndocumentedStatus:
    """Answers that happen but are not in the file. `paths`: prefixes; empty means every path."""

    number: int
    statuses: tuple[int, ...]
    why: str
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class WrongSchema:
    """A documented success body that is not what is sent; it is dropped from the comparison."""

    number: int
    method: str
    path: str
    status: int
    why: str


@dataclass(frozen=True)
class WrongParameter:
    """A parameter or body field whose documentation would keep tests from sending real values."""

    number: int
    method: str
    path: str
    name: str
    why: str


STATUSES = (
    UndocumentedStatus(3, (401, 403, 404, 405, 429), "never listed, or only as components"),
    UndocumentedStatus(4, (400, 422), "validation is not listed everywhere", ("post", "patch")),
    UndocumentedStatus(
        1, (409, 500), "parser and YAML exceptions, domain conflicts", paths=("/services",)
    ),
    UndocumentedStatus(5, (400, 500), "stopped container, comma in a label", ("get",)),
    UndocumentedStatus(5, (500,), "the start runs inside the request", ("post",), ("/deploy",)),
)

SCHEMAS = (WrongSchema(14, "get", "/resources", 200, "a list, documented as a string"),)

# Columns that are null in live answers although their schema says otherwise (recordings 042, 063,
# 105, 114, 207, 264); section 9 does not mention them.
NULL_COLUMNS: dict[str, tuple[str, ...]] = {
    "Service": ("docker_compose", "config_hash", "service_type", "deleted_at"),
    "Server": ("swarm_cluster", "validation_logs"),
    "ServerSetting": (
        "logdrain_axiom_api_key",
        "logdrain_axiom_dataset_name",
        "logdrain_custom_config",
        "logdrain_custom_config_parser",
        "logdrain_highlight_project_id",
        "logdrain_newrelic_base_uri",
        "logdrain_newrelic_license_key",
        "wildcard_domain",
    ),
    "Environment": ("description",),
    "EnvironmentVariable": ("value", "comment"),
    "ScheduledTask": ("container",),
    "ScheduledTaskExecution": ("message", "finished_at", "duration"),
}

PARAMETERS = (
    WrongParameter(1, "post", "/services", "environment_uuid", "either of the two is enough"),
    WrongParameter(5, "get", "/services/{uuid}/logs", "uuid", "ids are not RFC 4122"),
)

# Documented paths that the stand-in does not have; README.md, "What is not".
NOT_SIMULATED = (
    ("get", "/applications/{uuid}"),
    ("patch", "/applications/{uuid}"),
    ("get", "/destinations"),
    ("get", "/destinations/{uuid}"),
    ("patch", "/projects/{uuid}/environments/{environment_name_or_uuid}"),
    ("post", "/services/{uuid}/clone"),
    ("post", "/services/{uuid}/storages"),
    ("patch", "/services/{uuid}/storages"),
    ("delete", "/services/{uuid}/storages/{storage_uuid}"),
    ("put", "/services/{uuid}/storages/{storage_uuid}/backups"),
    ("delete", "/services/{uuid}/storages/{storage_uuid}/backups"),
    ("post", "/services/{uuid}/storages/{storage_uuid}/backups/run"),
)
