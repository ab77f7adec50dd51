"""The ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .faults import Fault
from .http.errors import framework_error, unknown_route
from .http.pipeline import compile_route
from .http.requestlog import RequestLog
from .routes import (
    actions,
    extras,
    instance,
    lab,
    projects,
    servers,
    services,
    sub_resources,
    variables,
)  # fmt: skip
from .standin import Standin

_MODULES = (instance, projects, servers, services, actions, sub_resources, variables, extras)
_PROXY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"
)


def create_app(standin: Standin, *, background: bool = True) -> ASGIApp:
    """`background`: run status passes (tests call them themselves)."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        standin.resume()
        task = asyncio.create_task(standin.run_passes()) if background else None
        yield
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await standin.close()

    routes = [Route("/api/health", health), Route("/api/v1/health", health)]
    routes += [compile_route(route) for module in _MODULES for route in module.ROUTES]
    if standin.settings.faults:
        routes += lab.ROUTES
    routes.append(_any_method(Route("/{path:path}", catch_all)))
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.state.standin = standin
    wrapped: ASGIApp = Faulty(app, standin) if standin.settings.faults else app
    return RequestLog(wrapped, Path(standin.settings.data_dir) / "requests.log", standin.clock)


async def health(request: Request) -> Response:
    """No token; `/api/v1/health` shares the 200 per minute, `/api/health` has 1000."""
    standin: Standin = request.app.state.standin
    versioned = request.url.path.startswith("/api/v1")
    limit = standin.settings.rate_limit if versioned else standin.settings.health_rate_limit
    verdict = standin.limiter.hit(f"{'v1' if versioned else 'health'} {_address(request)}", limit)
    if not verdict.allowed:
        return framework_error(request, 429, verdict.headers)
    headers = {**verdict.headers, "Content-Type": "text/html; charset=UTF-8"}
    return PlainTextResponse("OK", headers=headers)


async def catch_all(request: Request) -> Response:
    """404 before authentication and whether or not the API is on (live finding 9)."""
    standin: Standin = request.app.state.standin
    verdict = standin.limiter.hit(f"v1 {_address(request)}", standin.settings.rate_limit)
    if not verdict.allowed:
        return framework_error(request, 429, verdict.headers)
    response = unknown_route().response()
    response.headers.update(verdict.headers)
    return response


def _any_method(route: Route) -> Route:
    # Starlette limits a function endpoint to GET unless told otherwise afterwards.
    route.methods = set()
    return route


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


class Faulty:
    """Answers requests with the faults that a test has queued."""

    def __init__(self, app: ASGIApp, standin: Standin) -> None:
        self._app, self._standin = app, standin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        if scope["type"] == "http" and scope["path"].startswith("/api/v1/"):
            fault = self._standin.faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "drop":
            # An answer that never gets its body: the server closes the connection.
            length = [(b"content-length", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": length})
        else:
            response = await _faulty_response(Request(scope, receive), fault)
            await response(scope, receive, send)


async def _faulty_response(request: Request, fault: Fault) -> Response:
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return framework_error(request, 500)
    if fault.kind == "html":
        return HTMLResponse(_PROXY_PAGE)
    headers = {"Retry-After": "1"} if fault.kind in ("429", "503") else {}
    return framework_error(request, int(fault.kind), headers)
