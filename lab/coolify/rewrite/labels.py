"""Labels as a list, Coolify's own appended (contract 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..settings import VERSION
from .slug import slug


@dataclass(frozen=True)
class Identity:
    """Names and ids that Coolify writes into a container's labels."""

    uuid: str
    service_id: int
    stack: str
    project: str
    environment: str


def own_labels(labels: Any, *, escape: bool) -> list[str]:
    """The compose file's labels in list form; `$` doubled when `escape`."""
    if isinstance(labels, dict):
        flat = [f"{key}={_php_string(value)}" for key, value in labels.items()]
    else:
        flat = [str(label) for label in labels or []]
    return [label.replace("$", "$$") for label in flat] if escape else flat


def coolify_labels(identity: Identity, service: str, sub_id: int, kind: str) -> list[str]:
    name = slug(service)
    return [
        "coolify.managed=true",
        f"coolify.version={VERSION}",
        f"coolify.serviceId={identity.service_id}",
        "coolify.type=service",
        f"coolify.name={name}-{identity.uuid}",
        f"coolify.resourceName={slug(identity.stack)}",
        f"coolify.projectName={slug(identity.project)}",
        f"coolify.serviceName={name}",
        f"coolify.environmentName={slug(identity.environment)}",
        "coolify.pullRequestId=0",
        f"coolify.service.subId={sub_id}",
        f"coolify.service.subType={kind}",
        f"coolify.service.subName={name}",
    ]


def _php_string(value: Any) -> str:
    if value is True:
        return "1"
    return "" if value is None or value is False else str(value)
