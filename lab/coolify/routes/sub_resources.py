"""Applications and databases of a service (contract 2.11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from ..http import body
from ..http.errors import ApiError
from ..http.pipeline import ApiRoute, Call, Handler, answer, moved
from ..http.validation import (
    Fields,
    Rule,
    at_least,
    at_most,
    boolean,
    flag,
    integer,
    max_length,
    string,
    truthy,
)  # fmt: skip
from ..lifecycle import compose, scripts
from ..store import servers, services
from ..store.database import Row
from ..views.service import ServiceView, sub_resource_public
from . import lookup, urls

_SHARED: dict[str, tuple[Rule, ...]] = {
    "human_name": (string, max_length(255)),
    "description": (string,),
    "image": (string,),
    "exclude_from_status": (boolean,),
    "is_log_drain_enabled": (boolean,),
}
_RULES: dict[str, dict[str, tuple[Rule, ...]]] = {
    "application": {
        **_SHARED,
        "url": (string,),
        "noindex_domains": (boolean,),
        "is_gzip_enabled": (boolean,),
        "is_stripprefix_enabled": (boolean,),
        "is_force_https_enabled": (boolean,),
    },
    "database": {
        **_SHARED,
        "is_public": (boolean,),
        "public_port": (integer, at_least(1), at_most(65535)),
        "public_port_timeout": (integer, at_least(1)),
    },
}


def line_count(text: str | None) -> int:
    """100 unless it is a number; at most 10000."""
    return (
        min(int(text), 10_000) if text and text.isascii() and text.isdigit() and int(text) else 100
    )


def _index(kind: str) -> Handler:
    async def handler(call: Call) -> Response:
        rows = services.subs(call.standin.db, lookup.service(call)["id"], kind)
        return answer([sub_resource_public(row) for row in rows])

    return handler


def _show(kind: str) -> Handler:
    async def handler(call: Call) -> Response:
        service, row = lookup.sub_resource(call, kind)
        return answer(_with_service(call, service, row, relations=True))

    return handler


def _with_service(call: Call, service: Row, row: Row, *, relations: bool) -> dict[str, Any]:
    nested = ServiceView(call.standin, call.caller).inside(service, relations=relations)
    return {**sub_resource_public(row), "service": nested}


def _update(kind: str) -> Handler:
    rules = _RULES[kind]

    async def handler(call: Call) -> Response:
        data = await body.checked(call.request)
        service, row = lookup.sub_resource(call, kind)
        fields = Fields(data)
        for name, checks in rules.items():
            fields.nullable(name, *checks)
        fields.refuse_unknown(set(rules)).check()
        _store(call, service, row, data, rules)
        _, fresh = lookup.sub_resource(call, kind)
        return answer(_with_service(call, lookup.service(call), fresh, relations=False))

    return handler


def _store(
    call: Call, service: Row, row: Row, data: dict[str, Any], rules: dict[str, tuple[Rule, ...]]
) -> None:
    db, now = call.standin.db, call.standin.clock.now()
    if data.get("url"):
        force = flag(call.query.get("force_domain_override"), False)
        urls.apply(db, service, [{"name": row["name"], "url": data["url"]}], force=force)
    values = {name: _cast(value, rules[name]) for name, value in data.items() if name != "url"}
    db.update("sub_resources", row["id"], {**values, "updated_at": now})
    # Coolify's updateCompose runs on every PATCH, for removed services too (live finding 2).
    compose.set_image(db, service, row["name"], data.get("image") or row["image"], now)


def _cast(value: Any, rules: tuple[Rule, ...]) -> Any:
    if value is None:
        return False if boolean in rules else None
    if boolean in rules:
        return truthy(value)
    return int(value) if integer in rules else value


def _functional_server(call: Call, service: Row) -> Row:
    server = servers.by_id(call.standin.db, service["server_id"])
    if not servers.functional(server):
        raise ApiError(400, "Server is not functional.")
    return server


def _action(kind: str, verb: str) -> Handler:
    message = f"Service {kind} {'deploy' if verb == 'start' else verb} request queued."

    async def handler(call: Call) -> Response:
        service, row = lookup.sub_resource(call, kind)
        _functional_server(call, service)
        work = _work(call, verb)(service["id"], row)
        call.standin.jobs.queue(f"{verb} of {row['name']}-{service['uuid']}", _run(call, work))
        return answer({"message": message})

    return handler


async def _run(call: Call, work: Awaitable[None]) -> None:
    await call.standin.queue_delay()
    await work


def _work(call: Call, verb: str) -> Callable[[int, Row], Awaitable[None]]:
    actions = call.standin.actions
    if verb == "restart":
        return actions.restart_one
    if verb == "stop":
        return actions.stop_one
    pull = flag(call.query.get("latest"), False)
    build = flag(call.query.get("force"), False)
    return lambda service_id, row: actions.start_one(service_id, row, pull=pull, build=build)


def _logs(kind: str) -> Handler:
    async def handler(call: Call) -> Response:
        service, row = lookup.sub_resource(call, kind)
        server = _functional_server(call, service)
        container = f"{row['name']}-{service['uuid']}"
        run = call.standin.host.run
        state = await run(server, scripts.state_of(container), timeout_s=30)
        if state.stdout.strip() != "running":
            raise ApiError(400, f"Service {kind} container is not running.")
        lines = line_count(call.query.get("lines"))
        result = await run(server, scripts.logs(container, lines), timeout_s=30)
        return answer({"logs": result.stdout.rstrip("\n")})

    return handler


def _routes(kind: str) -> list[ApiRoute]:
    base = f"/services/{{uuid}}/{kind}s"
    one = f"{base}/{{sub_uuid}}"
    routes = [
        ApiRoute("GET", base, "read", _index(kind)),
        ApiRoute("GET", one, "read", _show(kind)),
        ApiRoute("PATCH", one, "write", _update(kind)),
        ApiRoute("GET", f"{one}/logs", "read", _logs(kind)),
    ]
    routes += [
        ApiRoute("POST", f"{one}/{verb}", "deploy", _action(kind, verb))
        for verb in ("start", "restart", "stop")
    ]
    if kind == "application":
        routes.append(ApiRoute("POST", f"{one}/logs", "read", _logs(kind)))
        routes += [moved(f"{one}/{verb}", "deploy") for verb in ("start", "restart", "stop")]
    return routes


ROUTES = [*_routes("application"), *_routes("database")]
