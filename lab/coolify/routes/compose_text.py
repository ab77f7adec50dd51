"""The compose text of a request: strict base64, YAML, guard, re-dump (contract 2.5, 3.1, 3.11)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..http.errors import invalid
from ..rewrite import dumper, guard, loader

_NOT_BASE64 = "The docker_compose_raw should be base64 encoded."


def stored_form(encoded: Any) -> str:
    """What Coolify stores: `Yaml::dump(Yaml::parse(text))`.

    Raises ApiError (422) for anything but strict base64 of UTF-8 or for unsafe names, and lets
    ComposeSyntaxError through (uncaught in Coolify: 500).
    """
    document = loader.load(_decode(encoded))
    try:
        guard.check(document)
    except guard.UnsafeComposeError as error:
        raise invalid({"docker_compose_raw": str(error)}) from None
    return dumper.dump(document)


def _decode(encoded: Any) -> str:
    failure = invalid({"docker_compose_raw": _NOT_BASE64})
    if not isinstance(encoded, str):
        raise failure
    try:
        raw = base64.b64decode(encoded, validate=True)
        text = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        raise failure from None
    if base64.b64encode(raw).decode() != encoded:
        raise failure
    return text
