"""What Coolify refuses as dangerous (contract 3.11); the rest of a file is not checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


class UnsafeComposeError(Exception):
    """The text goes into `errors.docker_compose_raw` of a 422."""


# Order and words as Coolify's validateShellSafePath reports them.
_FORBIDDEN = (
    ("`", "backtick (command substitution)"),
    ("$(", "command substitution"),
    ("${", "variable substitution with potential command injection"),
    ("|", "pipe operator"),
    ("&", "background/AND operator"),
    (";", "command separator"),
    ("\n", "newline (command separator)"),
    ("\r", "carriage return"),
    ("\t", "tab (token separator)"),
    (">", "output redirection"),
    ("<", "input redirection"),
)
_SAFE = r"[^}`$|&;<>\n\r\t]*"
_ALLOWED_SOURCE = re.compile(rf"^\$\{{[A-Za-z_][A-Za-z0-9_]*(:-{_SAFE})?\}}(/{_SAFE})?$")


def check(document: Any) -> None:
    """Raise UnsafeComposeError when `services` is missing or a name could reach a shell."""
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise UnsafeComposeError('Docker Compose file must contain a "services" section')
    for name, service in document["services"].items():
        _check_name(str(name))
        if isinstance(service, dict):
            _check_volumes(service.get("volumes"))


def _check_name(name: str) -> None:
    if problem := _problem(name, "service name"):
        raise UnsafeComposeError(
            f"Invalid Docker Compose service name: {problem} "
            "Service names must not contain shell metacharacters."
        )


def _check_volumes(volumes: Any) -> None:
    for what, text in _paths(volumes):
        if what == "volume source" and _ALLOWED_SOURCE.match(text):
            continue
        if problem := _problem(text, what):
            raise UnsafeComposeError(
                f"Invalid Docker volume definition: {problem} "
                "Please use safe path names without shell metacharacters."
            )


def _problem(text: str, what: str) -> str | None:
    for token, meaning in _FORBIDDEN:
        if token in text:
            return (
                f"Invalid {what}: contains forbidden character '{token}' ({meaning}). "
                "Shell metacharacters are not allowed for security reasons."
            )
    return None


def _paths(volumes: Any) -> Iterator[tuple[str, str]]:
    for volume in volumes if isinstance(volumes, list) else []:
        if isinstance(volume, str):
            source, target = split_short(volume)
            yield "volume source", source
            yield "volume target", target
        elif isinstance(volume, dict):
            yield "volume source", str(volume.get("source") or "")
            yield "volume target", str(volume.get("target") or "")


def split_short(volume: str) -> tuple[str, str]:
    """Source and the rest (target, mode) of a short volume; colons in `${...}` do not count."""
    depth = 0
    for position, char in enumerate(volume):
        if volume.startswith("${", position):
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif char == ":" and not depth:
            return volume[:position], volume[position + 1 :]
    return volume, ""
