"""Answers that are errors, with Coolify's exact bodies (contract 1.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

_TITLES = {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
_JSON_TEXTS = {429: "Too Many Attempts.", 500: "Server Error", 503: "Service Unavailable"}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="UTF-8" />
    <meta name="robots" content="noindex,nofollow,noarchive" />
    <title>An Error Occurred: {title}</title>
</head>
<body>
<div class="container">
    <h1>Oops! An Error Occurred</h1>
    <h2>The server returned a "{status} {title}".</h2>

    <p>
        Something is broken. Please let us know what you were doing when this error occurred.
        We will fix it as soon as possible. Sorry for any inconvenience caused.
    </p>
</div>
</body>
</html>
"""


class ApiError(Exception):
    """An answer with a JSON body; controllers raise it."""

    def __init__(
        self, status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body: Mapping[str, Any] = {"message": body} if isinstance(body, str) else body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        return JSONResponse(dict(self.body), self.status, self.headers)


def not_found(what: str) -> ApiError:
    return ApiError(404, f"{what} not found.")


def unknown_route() -> ApiError:
    return ApiError(404, {"message": "Not found.", "docs": "https://coolify.io/docs"})


def moved_to_post() -> ApiError:
    text = "This endpoint has changed to a POST request."
    return ApiError(405, text, {"Allow": "POST"})


def unauthorized_action() -> ApiError:
    message = "You are not authorized to perform this action."
    return ApiError(403, {"message": message, "error": "Unauthorized"})


def invalid(errors: Mapping[str, Any] | list[str]) -> ApiError:
    return ApiError(422, {"message": "Validation failed.", "errors": errors})


def bad_request(error: str) -> ApiError:
    return ApiError(400, {"message": "Invalid request.", "error": error})


def framework_error(
    request: Request, status: int, headers: Mapping[str, str] | None = None, *, html: bool = False
) -> Response:
    """429 and 500 of the framework: HTML unless JSON is asked for; JSON pretty-printed."""
    if html or not wants_json(request):
        page = _PAGE.format(status=status, title=_TITLES[status])
        return HTMLResponse(page, status, dict(headers or {}))
    text = json.dumps({"message": _JSON_TEXTS[status]}, indent=4)
    return Response(text, status, dict(headers or {}), media_type="application/json")


def wants_json(request: Request) -> bool:
    """Laravel's expectsJson for API clients: the first accepted type names JSON."""
    accept = request.headers.get("accept", "")
    first = accept.split(",", 1)[0].split(";", 1)[0].strip().lower()
    ajax = request.headers.get("x-requested-with") == "XMLHttpRequest"
    return "/json" in first or "+json" in first or (ajax and first in ("", "*/*"))
