"""The order of checks in front of every route (contract 1.2)."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..standin import Standin
from ..store import instance, tokens
from ..store.tokens import Caller
from .errors import ApiError, framework_error, moved_to_post

log = logging.getLogger("lab.coolify.http")


@dataclass(frozen=True)
class Call:
    """One authorised request."""

    request: Request
    standin: Standin
    caller: Caller

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class ApiRoute:
    """`path` is relative to /api/v1; `ability` is what the token needs."""

    method: str
    path: str
    ability: str
    handler: Handler
    api_may_be_off: bool = False


def moved(path: str, ability: str) -> ApiRoute:
    """The old GET form of a route that changes something."""

    async def handler(_: Call) -> Response:
        raise moved_to_post()

    return ApiRoute("GET", path, ability, handler, api_may_be_off=path in ("/enable", "/disable"))


def compile_route(route: ApiRoute) -> Route:
    async def endpoint(request: Request) -> Response:
        return await _answer(request, route)

    return Route(f"/api/v1{route.path}", endpoint, methods=[route.method])


async def _answer(request: Request, route: ApiRoute) -> Response:
    standin: Standin = request.app.state.standin
    caller = _authenticate(request, standin)
    if caller is None:
        return JSONResponse({"message": "Unauthenticated."}, 401)
    verdict = standin.limiter.hit(f"user {caller.user}", standin.settings.rate_limit)
    if not verdict.allowed:
        return framework_error(request, 429, verdict.headers)
    response = await _run(Call(request, standin, caller), route)
    response.headers.update(verdict.headers)
    return response


async def _run(call: Call, route: ApiRoute) -> Response:
    try:
        _authorise(call, route)
        return await route.handler(call)
    except ApiError as error:
        return error.response()
    except Exception as error:
        # Coolify answers any uncaught exception like this. The message may quote a secret: type
        # and place are enough for our own log.
        log.info("%s %s: %s at %s", route.method, route.path, type(error).__name__, _place(error))
        return framework_error(call.request, 500)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def _authenticate(request: Request, standin: Standin) -> Caller | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return tokens.find(standin.db, token.strip(), standin.clock.now())


def _authorise(call: Call, route: ApiRoute) -> None:
    caller = call.caller
    if not caller.is_admin and caller.abilities - {"read"}:
        raise ApiError(403, "Missing required team role.")
    if not route.api_may_be_off and not instance.api_enabled(call.standin.db):
        raise ApiError(403, {"success": True, "message": "API is disabled."})
    if not caller.can(route.ability):
        raise ApiError(403, f"Missing required permissions: {route.ability}")


def answer(body: Any, status: int = 200) -> Response:
    return JSONResponse(body, status)


def text(body: str) -> Response:
    return PlainTextResponse(body, headers={"Content-Type": "text/html; charset=UTF-8"})
