"""Reading a request body as Laravel does: trimmed strings, empty strings as null."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from .errors import bad_request


async def checked(request: Request) -> dict[str, Any]:
    """The body of routes behind Coolify's validateIncomingRequest (400 for anything odd)."""
    if "json" not in request.headers.get("content-type", ""):
        raise bad_request("Content-Type must be application/json.")
    data = _parse(await request.body())
    if data is None:
        raise bad_request("Invalid JSON.")
    if not data:
        raise bad_request("Empty JSON.")
    return data


async def lenient(request: Request) -> dict[str, Any]:
    """The body of the other routes: whatever is not a JSON object counts as nothing."""
    if "json" not in request.headers.get("content-type", ""):
        return {}
    return _parse(await request.body()) or {}


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return _trim(data) if isinstance(data, dict) else None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _trim(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        return [_trim(item) for item in value]
    if isinstance(value, dict):
        return {key: _trim(item) for key, item in value.items()}
    return value
